/* Properties of every sampler, published numbers, and the rules of a run. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "diffusion/beta_distribution.h"
#include "diffusion/levels.h"
#include "diffusion/names.h"
#include "diffusion/sampling.h"

/* Stable Diffusion's schedule with the keys that its files have. */
static const char sd_text[] =
    "{\"beta_schedule\":\"scaled_linear\",\"beta_start\":0.00085,\"beta_end\":0.012,\"steps_offset\":1,"
    "\"clip_sample\":false,\"set_alpha_to_one\":false}";

static sdw_scheduler_config read_config(const char *text)
{
    sdw_scheduler_config config;
    sdw_error err = { 0 };
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    sdw_status status = sdw_scheduler_config_read(yyjson_doc_get_root(doc), "config", &config, &err);
    if (status != SDW_OK) fail_msg("%s", err.text);
    yyjson_doc_free(doc);
    return config;
}

static sdw_sampling *create(const char *config_text, const sdw_sampling_options *o)
{
    sdw_scheduler_config config = read_config(config_text);
    sdw_sampling *s = NULL;
    sdw_error err = { 0 };
    if (sdw_sampling_create(&config, o, &s, &err) != SDW_OK) fail_msg("%s", err.text);
    sdw_scheduler_config_finish(&config);
    return s;
}

static sdw_sampling_options options(const char *sampler, int steps, size_t elements)
{
    return (sdw_sampling_options){ .sampler = sampler, .steps = steps, .strength = 1, .elements = elements };
}

/* Normal numbers from a congruential generator, Box and Muller; counts the draws. */
typedef struct generator {
    uint64_t state;
    int draws;
} generator;

static double uniform(generator *g)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(g->state >> 11) + 0.5) / 9007199254740992.0;
}

static void draw(void *ctx, float *dst, size_t n)
{
    generator *g = ctx;
    g->draws++;
    for (size_t i = 0; i < n; i++) dst[i] = (float)(sqrt(-2 * log(uniform(g))) * cos(6.283185307179586 * uniform(g)));
}

/* ---- numbers published elsewhere ---- */

static void check(double got, double want)
{
    if (!(fabs(got - want) <= 1e-4 * fmax(1, fabs(want)))) fail_msg("got %.8g, want %.8g", got, want);
}

static void noise_levels_have_the_published_ends(void **state)
{
    (void)state;
    sdw_levels l;
    sdw_levels_spec spec = { SDW_BETAS_SCALED_LINEAR, 0.00085, 0.012, .count = 1000 };
    assert_int_equal(sdw_levels_init(&spec, &l, NULL), SDW_OK);
    check(l.alpha_bar[0], 0.99915);
    assert_true(fabs(l.alpha_bar[999] - 0.00466010) < 1e-7);
    assert_true(fabs(l.sigma[0] - 0.029167) < 1e-6);
    check(l.sigma[999], 14.614641);
    for (int i = 0; i < 1000; i += 37)
        assert_true(fabs(sdw_levels_timestep(&l, l.sigma[i]) - i) < 1e-3);
    assert_true(fabs(sdw_levels_timestep(&l, 1e9) - 999) < 1e-12);
    assert_true(sdw_levels_timestep(&l, 0) == 0);
    sdw_levels_finish(&l);
}

static void check_table(const sdw_sampling_options *o, int count, const double *timesteps, const double *sigmas)
{
    sdw_sampling *s = create(sd_text, o);
    int n;
    const double *t = sdw_sampling_timesteps(s, &n);
    assert_int_equal(n, count);
    for (int i = 0; timesteps && i < count; i++) check(t[i], timesteps[i]);
    t = sdw_sampling_sigmas(s, &n);
    for (int i = 0; sigmas && i < count; i++) check(t[i], sigmas[i]);
    if (sigmas) assert_true(n == count + 1 && t[count] == 0);
    sdw_sampling_free(s);
}

static void timetables_have_the_published_values(void **state)
{
    (void)state;
    static const struct { int n; double t, sigma, start; } leading[] = {
        { 20, 951, 11.0283, 11.0736 }, { 30, 958, 11.4768, 11.5203 }, { 50, 981, 13.1204, 13.1585 } };
    for (size_t i = 0; i < 3; i++) {
        sdw_sampling_options o = options("euler", leading[i].n, 1);
        o.spacing = SDW_SPACING_LEADING;
        sdw_sampling *s = create(sd_text, &o);
        int n;
        check(sdw_sampling_timesteps(s, &n)[0], leading[i].t);
        check(sdw_sampling_sigmas(s, &n)[0], leading[i].sigma);
        check(sdw_sampling_init_noise_sigma(s), leading[i].start);
        sdw_sampling_free(s);
    }
    sdw_sampling_options trailing = options("euler_a", 1, 1);
    trailing.spacing = SDW_SPACING_TRAILING;
    check_table(&trailing, 1, (double[]){ 999 }, (double[]){ 14.6146 });
    trailing.steps = 2;
    check_table(&trailing, 2, (double[]){ 999, 499 }, NULL);
    trailing.steps = 4;
    check_table(&trailing, 4, (double[]){ 999, 749, 499, 249 }, (double[]){ 14.6146, 4.0817, 1.6129, 0.6932 });
    sdw_sampling_options karras = options("Euler Karras", 10, 1);
    check_table(&karras, 10, NULL, (double[]){ 14.6146, 9.1029, 5.4784, 3.1686, 1.7494, 0.9141, 0.4469, 0.2014, 0.0819,
                                               0.0292 });
    sdw_sampling_options normal = options("euler", 10, 1);
    normal.schedule = "normal";
    check_table(&normal, 10, NULL, (double[]){ 14.6146, 7.8399, 4.6092, 2.9183, 1.9502, 1.3449, 0.9324, 0.6250, 0.3687,
                                               0.0292 });
}

/* numpy rounds 812.5 to 812 and 937.5 to 938; at 48 steps, 937.5 is off by the last bit of the stride. */
static void trailing_rounds_halves_to_even(void **state)
{
    (void)state;
    sdw_sampling_options o = options("ddim", 16, 1);
    o.spacing = SDW_SPACING_TRAILING;
    check_table(&o, 16, (double[]){ 999, 937, 874, 811, 749, 687, 624, 561, 499, 437, 374, 311, 249, 187, 124, 61 },
                NULL);
    o.steps = 48;
    check_table(&o, 48, (double[]){ 999, 978, 957, 936, 916, 895, 874, 853, 832, 811, 791, 770, 749, 728, 707, 686,
                                666, 645, 624, 603, 582, 561, 541, 520, 499, 478, 457, 436, 416, 395, 374, 353,
                                332, 311, 291, 270, 249, 228, 207, 186, 166, 145, 124, 103, 82, 61, 41, 20 },
                NULL);
}

static void plms_repeats_its_second_timestep(void **state)
{
    (void)state;
    sdw_sampling_options o = options("plms", 50, 1);
    sdw_sampling *s = create(sd_text, &o);
    int n;
    const double *t = sdw_sampling_timesteps(s, &n);
    assert_int_equal(n, 51);
    assert_int_equal(sdw_sampling_evaluations(s), 51);
    assert_int_equal(sdw_sampling_steps(s), 50);
    const double want[] = { 981, 961, 961, 941, 921 };
    for (int i = 0; i < 5; i++) check(t[i], want[i]);
    check(t[50], 1);
    assert_true(sdw_sampling_init_noise_sigma(s) == 1);
    sdw_sampling_free(s);
}

static void whole_timesteps_of_simple_and_ddim_uniform_are_right(void **state)
{
    (void)state;
    sdw_sampling_options o = options("ddim", 4, 1);
    o.schedule = "simple";
    check_table(&o, 4, (double[]){ 999, 749, 499, 249 }, NULL);
    o.schedule = "ddim_uniform";
    check_table(&o, 4, (double[]){ 751, 501, 251, 1 }, NULL);
    o.schedule = "SGM Uniform";
    check_table(&o, 4, (double[]){ 999, 749, 500, 250 }, NULL); /* 749.25 499.5 249.75, halves to even */
}

static void beta_quantiles_agree_with_scipy(void **state)
{
    (void)state;
    static const double rows[][4] = {
        { 1e-06, 0.6, 0.6, 1.8558824624053043e-10 },
        { 0.001, 0.6, 0.6, 1.855873851745199e-05 },
        { 0.05, 0.6, 0.6, 0.012554456873611399 },
        { 0.16666666666666666, 0.6, 0.6, 0.0914867955500452 },
        { 0.3, 0.6, 0.6, 0.23401700387523572 },
        { 0.5, 0.6, 0.6, 0.50000000000000011 },
        { 0.7, 0.6, 0.6, 0.76598299612476428 },
        { 0.9, 0.6, 0.6, 0.96041559441121915 },
        { 0.999, 0.6, 0.6, 0.99998144126148258 },
        { 0.3, 2, 5, 0.18180347131894917 },
        { 0.9, 0.3, 4, 0.2143738140841478 },
        { 0.01, 10, 10, 0.25395307951451707 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double x = sdw_beta_quantile(rows[i][0], rows[i][1], rows[i][2]);
        if (!(fabs(x - rows[i][3]) <= 1e-10 * rows[i][3])) fail_msg("row %zu: got %.17g, want %.17g", i, x, rows[i][3]);
        assert_true(fabs(sdw_beta_cdf(x, rows[i][1], rows[i][2]) - rows[i][0]) < 1e-12);
    }
    assert_true(sdw_beta_quantile(0, 0.6, 0.6) == 0 && sdw_beta_quantile(1, 0.6, 0.6) == 1);
}

/* ---- exact solutions ---- */

/* The level of the state: alpha and sigma with state = alpha x0 + sigma noise, from noised(1, 0) and noised(0, 1). */
static void state_level(const sdw_sampling *s, double *ret_alpha, double *ret_sigma)
{
    float one = 1, zero = 0, ret;
    sdw_sampling_noised(s, &one, &zero, &ret);
    *ret_alpha = (double)ret;
    sdw_sampling_noised(s, &zero, &one, &ret);
    *ret_sigma = (double)ret;
}

/* What a model that always knows the clean value answers for its input. */
static float knowing_model(const sdw_sampling *s, float input, double timestep, double clean)
{
    sdw_levels l;
    sdw_levels_spec spec = { SDW_BETAS_SCALED_LINEAR, 0.00085, 0.012, .count = 1000 };
    assert_int_equal(sdw_levels_init(&spec, &l, NULL), SDW_OK);
    double k = timestep == floor(timestep) ? l.sigma[(int)timestep] : sdw_levels_sigma_log(&l, timestep);
    sdw_levels_finish(&l);
    double alpha = 1 / sqrt(k * k + 1), sigma = k * alpha, noise = ((double)input - alpha * clean) / sigma;
    if (sdw_sampling_prediction(s) == SDW_PREDICTION_V) return (float)(alpha * noise - sigma * clean);
    if (sdw_sampling_prediction(s) == SDW_PREDICTION_SAMPLE) return (float)clean;
    return (float)noise;
}

/* A model that always gives the same clean value c has the exact solution c alpha + noise sigma: every solver of any
 * order must stay on it. Ten trailing steps: then DDIM and PLMS, whose steps are T / n long, meet the timetable too. */
static void walk_with_knowing_model(const char *name, sdw_prediction prediction)
{
    sdw_sampling_options o = options(name, 10, 1);
    o.prediction = prediction;
    o.spacing = SDW_SPACING_TRAILING;
    sdw_sampling *s = create("{\"beta_schedule\":\"scaled_linear\",\"beta_start\":0.00085,\"beta_end\":0.012,"
                             "\"clip_sample\":false,\"set_alpha_to_one\":true}", &o);
    const float clean = 0.7f, noise = 0.8f;
    float input, timestep;
    sdw_sampling_start_image(s, &clean, &noise);
    while (sdw_sampling_next(s, &timestep, &input)) {
        float output = knowing_model(s, input, (double)timestep, (double)clean);
        bool done;
        double alpha, sigma;
        assert_int_equal(sdw_sampling_feed(s, &output, NULL, NULL, &done, NULL), SDW_OK);
        state_level(s, &alpha, &sigma);
        double want = (double)clean * alpha + (double)noise * sigma, got = (double)*sdw_sampling_state(s);
        bool ends_above_zero = sigma == 0 && !strcmp(name, "deis"); /* at the smallest sigma, 0.029 */
        if (done && fabs(got - want) > (ends_above_zero ? 0.03 : 1e-4 * fmax(1, fabs(want))))
            fail_msg("%s at %g: got %.8g, want %.8g", name, (double)timestep, got, want);
        if (fabs((double)(*sdw_sampling_estimate(s) - clean)) > 1e-3)
            fail_msg("%s at %g: estimate %.8g, want %.8g", name, (double)timestep,
                     (double)*sdw_sampling_estimate(s), (double)clean);
    }
    assert_int_equal(sdw_sampling_steps_done(s), 10);
    sdw_sampling_free(s);
}

static void solvers_follow_the_exact_solution_of_a_model_that_knows(void **state)
{
    (void)state;
    static const char *const names[] = { "ddim", "pndm", "euler", "heun", "lms", "dpm2", "dpmpp_2m", "dpmpp_3m",
                                         "dpmpp_2s", "deis", "unipc" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        walk_with_knowing_model(names[i], SDW_PREDICTION_EPSILON);
        if (!strcmp(names[i], "pndm")) continue; /* averages the raw outputs, of which only the noise is constant */
        walk_with_knowing_model(names[i], SDW_PREDICTION_V);
        walk_with_knowing_model(names[i], SDW_PREDICTION_SAMPLE);
    }
}

/* Clean pictures that are zero, and normal noise: the variance of the state must be sigma^2 at every level. */
static void check_variance(const char *name, double eta)
{
    enum { N = 20000 };
    static float noise[N], input[N], zero[N];
    sdw_sampling_options o = options(name, 8, N);
    o.has_eta = true;
    o.eta = eta;
    o.prediction = SDW_PREDICTION_SAMPLE;
    sdw_sampling *s = create(sd_text, &o);
    generator g = { .state = 5 };
    draw(&g, noise, N);
    sdw_sampling_start_image(s, zero, noise);
    float timestep;
    while (sdw_sampling_next(s, &timestep, input)) {
        bool done;
        assert_int_equal(sdw_sampling_feed(s, zero, draw, &g, &done, NULL), SDW_OK);
        if (!done || sdw_sampling_steps_done(s) == 8) continue;
        sdw_sampling_noised(s, zero, noise, input);
        double sigma = (double)input[0] / (double)noise[0], sum = 0;
        for (size_t j = 0; j < N; j++) sum += (double)sdw_sampling_state(s)[j] * (double)sdw_sampling_state(s)[j];
        if (fabs(sum / N / (sigma * sigma) - 1) > 0.05) /* five times the spread of 20000 squares */
            fail_msg("%s eta %g, step %d: variance %g, want %g", name, eta, sdw_sampling_steps_done(s), sum / N,
                     sigma * sigma);
    }
    sdw_sampling_free(s);
}

static void samplers_with_fresh_noise_keep_the_variance_of_each_level(void **state)
{
    (void)state;
    check_variance("ddim", 0.5);
    check_variance("ddim", 1);
    check_variance("ddpm", 0);
    check_variance("euler_a", 0);
    check_variance("dpm2_a", 0);
    check_variance("dpmpp_2m_sde", 0);
    check_variance("lcm", 0);
    check_variance("tcd", 0.4);
    check_variance("tcd", 1);
}

/* ---- rules of a run ---- */

/* Runs to the end with a bounded model; false if a value was not finite. */
static bool run_is_finite(sdw_sampling *s, generator *g, int *ret_steps, int *ret_calls)
{
    float noise = 0.9f, input, timestep;
    *ret_steps = *ret_calls = 0;
    sdw_sampling_start_noise(s, &noise);
    while (sdw_sampling_next(s, &timestep, &input)) {
        float output = tanhf(input) * 0.8f;
        bool done;
        if (!isfinite(timestep) || !isfinite(input)) return false;
        if (sdw_sampling_feed(s, &output, draw, g, &done, NULL) != SDW_OK) return false;
        *ret_steps += done;
        ++*ret_calls;
    }
    return true;
}

/* Creates and runs; counts refusals, which must name the field. */
static void try_pair(const sdw_scheduler_config *config, const sdw_sampling_options *o, int *refused)
{
    sdw_sampling *s = NULL;
    sdw_error err = { 0 };
    generator g = { .state = 3 };
    int steps, calls;
    if (sdw_sampling_create(config, o, &s, &err) != SDW_OK) {
        assert_int_equal(err.status, SDW_INVALID);
        assert_true(!strcmp(err.field, "schedule") || !strcmp(err.field, "steps") || !strcmp(err.field, "spacing"));
        ++*refused;
        return;
    }
    if (!run_is_finite(s, &g, &steps, &calls))
        fail_msg("%s, %s, spacing %d, %d steps: not finite", o->sampler, sdw_sampling_schedule(s), (int)o->spacing,
                 o->steps);
    assert_int_equal(steps, o->steps);
    assert_int_equal(steps, sdw_sampling_steps(s));
    assert_int_equal(calls, sdw_sampling_evaluations(s));
    assert_int_equal(g.draws > 0, sdw_sampling_draws(s));
    sdw_sampling_free(s);
}

static void every_sampler_and_schedule_is_finite_for_any_number_of_steps(void **state)
{
    (void)state;
    static const int steps[] = { 1, 2, 3, 4, 14, 15, 16, 33, 50 };
    sdw_sampling_name samplers[SDW_NAMES_MAX], schedules[SDW_NAMES_MAX];
    size_t sampler_count = sdw_sampler_list(samplers, SDW_NAMES_MAX);
    size_t schedule_count = sdw_schedule_list(schedules, SDW_NAMES_MAX);
    sdw_scheduler_config config = read_config(sd_text);
    int refused = 0;
    assert_int_equal(sampler_count, 17);
    assert_int_equal(schedule_count, 8);
    for (size_t i = 0; i < sampler_count; i++)
        for (size_t j = 0; j < schedule_count; j++)
            for (size_t k = 0; k < 2 * sizeof steps / sizeof steps[0]; k++) {
                sdw_sampling_options o = options(samplers[i].name, steps[k / 2], 1);
                o.schedule = schedules[j].name;
                o.prediction = k % 2 ? SDW_PREDICTION_V : SDW_PREDICTION_EPSILON;
                try_pair(&config, &o, &refused);
            }
    /* PLMS, LCM and TCD take plain only; DDIM and DDPM no karras, exponential, beta. */
    assert_int_equal(refused, (3 * 7 + 2 * 3) * 18);
    sdw_scheduler_config_finish(&config);
}

static void every_spacing_is_finite_up_to_all_timesteps(void **state)
{
    (void)state;
    static const int steps[] = { 1, 2, 7, 48, 333, 999, 1000 };
    sdw_sampling_name samplers[SDW_NAMES_MAX];
    size_t count = sdw_sampler_list(samplers, SDW_NAMES_MAX);
    sdw_scheduler_config config = read_config(sd_text);
    int refused = 0;
    for (size_t i = 0; i < count; i++)
        for (int spacing = SDW_SPACING_LEADING; spacing <= SDW_SPACING_TRAILING; spacing++)
            for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
                sdw_sampling_options o = options(samplers[i].name, steps[k], 1);
                o.spacing = (sdw_spacing)spacing;
                try_pair(&config, &o, &refused);
            }
    /* LCM and TCD take no spacing; the six solvers lay out n + 1 leading points, so 1000 do not fit. */
    assert_int_equal(refused, 2 * 3 * 7 + 6);
    sdw_scheduler_config_finish(&config);
}

static void strength_runs_the_last_steps_of_the_timetable(void **state)
{
    (void)state;
    static const struct { const char *sampler; int n; double strength; int steps, calls; } rows[] = {
        { "ddim", 8, 0.6, 4, 4 }, { "ddim", 8, 1, 8, 8 }, { "ddim", 10, 0.7, 7, 7 }, { "ddim", 10, 0.29, 2, 2 },
        { "euler", 8, 0.1, 0, 0 }, { "euler", 8, 0, 0, 0 }, { "heun", 8, 0.5, 4, 7 }, { "heun", 8, 1, 8, 15 },
        { "dpm2_a", 4, 0.25, 1, 1 }, { "pndm", 8, 0.6, 4, 5 }, { "pndm", 8, 1, 8, 9 }, { "pndm", 1, 1, 1, 1 },
        { "pndm", 8, 0.1, 0, 0 }, { "lcm", 4, 0.5, 2, 2 }, { "dpmpp_2s", 7, 0.9, 6, 6 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_sampling_options o = options(rows[i].sampler, rows[i].n, 1);
        o.strength = rows[i].strength;
        sdw_sampling *s = create(sd_text, &o);
        assert_int_equal(sdw_sampling_steps(s), rows[i].steps);
        assert_int_equal(sdw_sampling_evaluations(s), rows[i].calls);
        float latent = 0.3f, noise = 1, timestep, input;
        sdw_sampling_start_image(s, &latent, &noise);
        bool more = sdw_sampling_next(s, &timestep, &input);
        assert_int_equal(more, rows[i].calls > 0);
        if (!more) assert_true(*sdw_sampling_state(s) == latent);
        sdw_sampling_free(s);
    }
}

static void noise_is_drawn_where_the_reference_draws(void **state)
{
    (void)state;
    static const struct { const char *sampler; double eta; int draws; } rows[] = {
        { "ddim", 0, 0 }, { "ddim", 1, 7 }, { "ddpm", 0, 7 }, { "euler", 0, 0 }, { "euler_a", 0, 7 },
        { "dpm2_a", 0, 6 }, { "dpmpp_2m_sde", 0, 7 }, { "lcm", 0, 6 }, { "tcd", 0, 0 }, { "tcd", 0.3, 6 },
        { "unipc", 1, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_sampling_options o = options(rows[i].sampler, 7, 1);
        o.has_eta = true;
        o.eta = rows[i].eta;
        sdw_sampling *s = create(sd_text, &o);
        generator g = { .state = 1 };
        int steps, calls;
        assert_true(run_is_finite(s, &g, &steps, &calls));
        assert_int_equal(g.draws, rows[i].draws);
        sdw_sampling_free(s);
    }
}

static void runs_that_take_turns_give_the_bytes_of_a_run_alone(void **state)
{
    (void)state;
    static const char *const names[] = { "unipc", "dpm2_a", "pndm", "lms" };
    enum { RUNS = 8 }; /* each sampler alone, then all in turns */
    float result[RUNS] = { 0 }, noise = 0.5f, input, timestep;
    for (int alone = 1; alone >= 0; alone--) {
        sdw_sampling *s[4];
        generator g[4] = { { .state = 0 } };
        for (int i = 0; i < 4; i++) {
            sdw_sampling_options o = options(names[i], 9, 1);
            s[i] = create(sd_text, &o);
            sdw_sampling_start_noise(s[i], &noise);
        }
        int left = 4;
        for (int turn = 0; left > 0; turn++) {
            int i = alone ? 4 - left : turn % 4;
            if (!sdw_sampling_next(s[i], &timestep, &input)) {
                if (alone || result[4 + i] == 0) left--;
                result[alone ? i : 4 + i] = *sdw_sampling_state(s[i]);
                continue;
            }
            float output = sinf(input + timestep);
            assert_int_equal(sdw_sampling_feed(s[i], &output, draw, &g[i], NULL, NULL), SDW_OK);
        }
        for (int i = 0; i < 4; i++) sdw_sampling_free(s[i]);
    }
    for (int i = 0; i < 4; i++) assert_true(result[i] != 0 && result[i] == result[4 + i]);
}

static void starting_again_repeats_the_run(void **state)
{
    (void)state;
    sdw_sampling_options o = options("unipc", 9, 1);
    sdw_sampling *s = create(sd_text, &o);
    float first = 0;
    for (int i = 0; i < 2; i++) {
        generator g = { .state = 9 };
        int steps, calls;
        assert_true(run_is_finite(s, &g, &steps, &calls));
        if (i == 0) first = *sdw_sampling_state(s);
        assert_true(first == *sdw_sampling_state(s));
    }
    sdw_sampling_free(s);
}

static void a_model_output_that_is_not_finite_ends_the_run(void **state)
{
    (void)state;
    sdw_sampling_name samplers[SDW_NAMES_MAX];
    size_t count = sdw_sampler_list(samplers, SDW_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        sdw_sampling_options o = options(samplers[i].name, 5, 2);
        sdw_sampling *s = create("{\"clip_sample\":true}", &o);
        float noise[2] = { 1, -1 }, output[2] = { 0, NAN }, input[2], timestep;
        generator g = { .state = 1 };
        sdw_error err = { 0 };
        sdw_sampling_start_noise(s, noise);
        assert_true(sdw_sampling_next(s, &timestep, input));
        sdw_status status = sdw_sampling_feed(s, output, draw, &g, NULL, &err);
        if (status != SDW_NUMERIC) fail_msg("%s let a NaN pass", samplers[i].name);
        assert_non_null(strstr(err.text, "not finite"));
        assert_false(sdw_sampling_next(s, &timestep, input));
        sdw_sampling_free(s);
    }
}

static void a_failed_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    sdw_scheduler_config config = read_config(sd_text);
    sdw_sampling_options o = options("dpm2_a", 5, 100);
    int failures = 0;
    for (size_t nth = 1; nth < 50; nth++) {
        sdw_sampling *s = NULL;
        sdw_error err = { 0 };
        sdw_mem_fail_at(nth, false);
        sdw_status status = sdw_sampling_create(&config, &o, &s, &err);
        sdw_mem_fail_at(0, false);
        sdw_sampling_free(s);
        if (status == SDW_OK) break;
        assert_int_equal(status, SDW_NO_MEMORY);
        assert_null(s);
        failures++;
    }
    assert_in_range(failures, 5, 20);
    sdw_scheduler_config_finish(&config);
}

/* ---- config and refusals ---- */

static void refuse(const char *config_text, const sdw_sampling_options *o, sdw_status want, const char *field,
                   const char *part)
{
    sdw_scheduler_config config = read_config(config_text);
    sdw_sampling *s = NULL;
    sdw_error err = { 0 };
    sdw_status status = sdw_sampling_create(&config, o, &s, &err);
    if (status != want || strcmp(err.field, field) != 0 || !strstr(err.text, part))
        fail_msg("status %s, field \"%s\", text \"%s\"; want %s, \"%s\", \"%s\"", sdw_status_name(status), err.field,
                 err.text, sdw_status_name(want), field, part);
    assert_null(s);
    sdw_scheduler_config_finish(&config);
}

static void requests_that_make_no_sense_are_refused_by_name(void **state)
{
    (void)state;
    sdw_sampling_options o = options("euler", 0, 1);
    refuse("{}", &o, SDW_INVALID, "steps", "steps 0: want 1..1000");
    o.steps = 1001;
    refuse("{}", &o, SDW_INVALID, "steps", "1001");
    o.steps = 101;
    refuse("{\"num_train_timesteps\":100}", &o, SDW_INVALID, "steps", "want 1..100");
    o = options("euler", 5, 1);
    o.strength = 1.5;
    refuse("{}", &o, SDW_INVALID, "strength", "1.5");
    o.strength = NAN;
    refuse("{}", &o, SDW_INVALID, "strength", "want 0..1");
    o = options("ddim", 5, 1);
    o.has_eta = true;
    o.eta = -0.1;
    refuse("{}", &o, SDW_INVALID, "eta", "-0.1");
    o = options("lcm", 51, 1);
    refuse("{}", &o, SDW_INVALID, "steps", "51: lcm was distilled on 50");
    o = options("lcm", 4, 1);
    o.spacing = SDW_SPACING_TRAILING;
    refuse("{}", &o, SDW_INVALID, "spacing", "lcm");
    o = options("ddim", 5, 1);
    o.schedule = "karras";
    refuse("{}", &o, SDW_INVALID, "schedule", "karras with sampler ddim");
    o = options("plms karras", 5, 1);
    refuse("{}", &o, SDW_INVALID, "schedule", "karras with sampler pndm");
    o = options("heun", 5, 1);
    o.final_sigma = SDW_FINAL_SIGMA_MIN;
    refuse("{}", &o, SDW_INVALID, "final_sigma", "heun");
    o = options("deis", 5, 1);
    o.final_sigma = SDW_FINAL_SIGMA_ZERO;
    refuse("{}", &o, SDW_INVALID, "final_sigma", "deis");
    o = options("bogus", 5, 1);
    refuse("{}", &o, SDW_INVALID, "sampler", "ddim, ddpm");
    o = options("euler", 5, 1);
    o.schedule = "bogus";
    refuse("{}", &o, SDW_INVALID, "schedule", "karras");
}

static void config_values_that_we_do_not_follow_are_refused_where_they_matter(void **state)
{
    (void)state;
    static const struct { const char *sampler, *other, *config, *part; } rows[] = {
        { "pndm", "ddim", "{\"skip_prk_steps\":false}", "skip_prk_steps" },
        { "ddim", "euler", "{\"thresholding\":true}", "thresholding" },
        { "dpmpp_2m", "unipc", "{\"algorithm_type\":\"dpmsolver\"}", "algorithm_type" },
        { "unipc", "euler", "{\"use_flow_sigmas\":true}", "use_flow_sigmas" },
        { "dpmpp_2m", "deis", "{\"use_lu_lambdas\":true}", "use_lu_lambdas" },
        { "euler", "heun", "{\"interpolation_type\":\"log_linear\"}", "interpolation_type" },
        { "euler", "euler_a", "{\"timestep_type\":\"continuous\"}", "timestep_type" },
        { "unipc", "deis", "{\"predict_x0\":false}", "predict_x0" },
        { "ddpm", "ddim", "{\"variance_type\":\"learned_range\"}", "variance_type" },
        { "dpmpp_3m", "deis", "{\"lambda_min_clipped\":-5.1}", "lambda_min_clipped" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_sampling_options o = options(rows[i].sampler, 5, 1);
        refuse(rows[i].config, &o, SDW_UNSUPPORTED, "", rows[i].part);
        o.sampler = rows[i].other;
        sdw_sampling_free(create(rows[i].config, &o));
    }
    sdw_sampling_options o = options(NULL, 5, 1);
    refuse("{\"_class_name\":\"DPMSolverMultistepScheduler\",\"algorithm_type\":\"sde-dpmsolver++\","
           "\"solver_order\":3}", &o, SDW_UNSUPPORTED, "", "solver_order 3");
    refuse("{\"trained_betas\":[0.1,0.2]}", &o, SDW_INVALID, "", "2 trained_betas");
    refuse("{\"trained_betas\":[0.1,1],\"num_train_timesteps\":2}", &o, SDW_INVALID, "", "timestep 1 is 1");
}

static void a_config_file_decides_sampler_schedule_and_spacing(void **state)
{
    (void)state;
    static const struct { const char *config, *sampler, *schedule; double first; } rows[] = {
        { "{}", "euler", "plain", 999 },
        { "{\"_class_name\":\"PNDMScheduler\",\"skip_prk_steps\":true,\"steps_offset\":1}", "pndm", "plain", 801 },
        { "{\"_class_name\":\"EulerDiscreteScheduler\",\"timestep_spacing\":\"leading\",\"steps_offset\":1,"
          "\"skip_prk_steps\":false,\"clip_sample\":false,\"set_alpha_to_one\":false,\"sample_max_value\":1.0,"
          "\"trained_betas\":null,\"use_karras_sigmas\":false}", "euler", "plain", 801 },
        { "{\"_class_name\":\"EulerAncestralDiscreteScheduler\",\"timestep_spacing\":\"trailing\"}", "euler_a", "plain",
          999 },
        { "{\"_class_name\":\"EulerDiscreteScheduler\",\"use_karras_sigmas\":true}", "euler", "karras", 999 },
        { "{\"_class_name\":\"EulerAncestralDiscreteScheduler\",\"use_karras_sigmas\":true}", "euler_a", "plain", 999 },
        { "{\"_class_name\":\"DDIMScheduler\",\"use_karras_sigmas\":true}", "ddim", "plain", 800 },
        { "{\"_class_name\":\"DPMSolverMultistepScheduler\",\"algorithm_type\":\"sde-dpmsolver++\"}", "dpmpp_2m_sde",
          "plain", 999 },
        { "{\"_class_name\":\"DPMSolverMultistepScheduler\",\"solver_order\":3}", "dpmpp_3m", "plain", 999 },
        { "{\"_class_name\":\"LCMScheduler\"}", "lcm", "plain", 999 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_sampling_options o = options(NULL, 5, 1);
        sdw_sampling *s = create(rows[i].config, &o);
        int count;
        assert_string_equal(sdw_sampling_sampler(s), rows[i].sampler);
        assert_string_equal(sdw_sampling_schedule(s), rows[i].schedule);
        if (fabs(sdw_sampling_timesteps(s, &count)[0] - rows[i].first) > 1e-3)
            fail_msg("row %zu starts at %g, want %g", i, sdw_sampling_timesteps(s, &count)[0], rows[i].first);
        assert_int_equal(sdw_sampling_prediction(s), SDW_PREDICTION_EPSILON);
        sdw_sampling_free(s);
    }
}

static void options_override_the_config(void **state)
{
    (void)state;
    const char *text = "{\"_class_name\":\"EulerDiscreteScheduler\",\"timestep_spacing\":\"leading\","
                       "\"steps_offset\":1,"
                       "\"prediction_type\":\"v_prediction\",\"use_karras_sigmas\":true}";
    sdw_sampling_options o = options(NULL, 4, 1);
    int count;
    sdw_sampling *s = create(text, &o);
    assert_int_equal(sdw_sampling_prediction(s), SDW_PREDICTION_V);
    assert_string_equal(sdw_sampling_schedule(s), "karras");
    sdw_sampling_free(s);
    o.prediction = SDW_PREDICTION_EPSILON;
    o.schedule = "plain";
    o.spacing = SDW_SPACING_TRAILING;
    o.final_sigma = SDW_FINAL_SIGMA_MIN;
    s = create(text, &o);
    assert_int_equal(sdw_sampling_prediction(s), SDW_PREDICTION_EPSILON);
    assert_string_equal(sdw_sampling_schedule(s), "plain");
    assert_true(sdw_sampling_timesteps(s, &count)[0] == 999);
    const double *sigmas = sdw_sampling_sigmas(s, &count);
    assert_true(sigmas[count - 1] > 0);
    sdw_sampling_free(s);
    o.spacing = SDW_SPACING_DEFAULT;
    o.own_spacing = true; /* linspace is Euler's own, whatever the file says */
    o.steps = 3;
    s = create(text, &o);
    assert_true(fabs(sdw_sampling_timesteps(s, &count)[1] - 499.5) < 1e-6);
    sdw_sampling_free(s);
}

static void broken_config_files_are_refused_by_key(void **state)
{
    (void)state;
    static const struct { const char *text, *part; } rows[] = {
        { "{\"_class_name\":\"FlowMatchEulerDiscreteScheduler\"}", "FlowMatchEulerDiscreteScheduler" },
        { "{\"_class_name\":7}", "_class_name" },
        { "{\"prediction_type\":\"flow_prediction\"}", "flow_prediction" },
        { "{\"timestep_spacing\":\"sideways\"}", "sideways" },
        { "{\"beta_schedule\":\"sigmoid\"}", "sigmoid" },
        { "{\"beta_start\":\"low\"}", "beta_start is \"low\"" },
        { "{\"beta_end\":1.5}", "beta_end is 1.5" },
        { "{\"num_train_timesteps\":0}", "num_train_timesteps" },
        { "{\"num_train_timesteps\":1e9}", "num_train_timesteps" },
        { "{\"steps_offset\":0.5}", "steps_offset" },
        { "{\"solver_order\":4}", "solver_order" },
        { "{\"clip_sample\":1}", "clip_sample" },
        { "{\"trained_betas\":[]}", "trained_betas" },
        { "{\"trained_betas\":[0.1,\"x\"]}", "trained_betas" },
        { "{\"final_sigmas_type\":\"some\"}", "final_sigmas_type" },
        { "{\"solver_type\":\"magic\"}", "magic" },
        { "[]", "object" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_scheduler_config config = { .steps_offset = 77 };
        sdw_error err = { 0 };
        yyjson_doc *doc = yyjson_read(rows[i].text, strlen(rows[i].text), 0);
        sdw_status status = sdw_scheduler_config_read(yyjson_doc_get_root(doc), "scheduler_config.json", &config, &err);
        if (status == SDW_OK || !strstr(err.text, rows[i].part) || !strstr(err.text, "scheduler_config.json"))
            fail_msg("%s gave \"%s\"", rows[i].text, err.text);
        assert_int_equal(config.steps_offset, 77);
        yyjson_doc_free(doc);
    }
    sdw_scheduler_config config = { .steps_offset = 77 };
    assert_int_equal(sdw_scheduler_config_read(NULL, "x", &config, NULL), SDW_OK);
    assert_int_equal(config.steps_offset, 0);
}

/* ---- names ---- */

static void names_of_all_interfaces_resolve(void **state)
{
    (void)state;
    static const struct { const char *name, *sampler, *schedule; } rows[] = {
        { "euler", "euler", NULL }, { "Euler", "euler", NULL }, { "Euler a", "euler_a", NULL },
        { "EULER_A", "euler_a", NULL }, { "euler-ancestral", "euler_a", NULL }, { "k_euler_a", "euler_a", NULL },
        { "EulerDiscreteScheduler", "euler", NULL }, { "EulerDiscrete", "euler", NULL },
        { "EulerAncestralDiscreteScheduler", "euler_a", NULL }, { "DPM++ 2M", "dpmpp_2m", NULL },
        { "DPM++ 2M Karras", "dpmpp_2m", "karras" }, { "dpm++ 2m sde exponential", "dpmpp_2m_sde", "exponential" },
        { "k_dpmpp_2m_ka", "dpmpp_2m", "karras" }, { "DPMSolverMultistepScheduler", "dpmpp_2m", NULL },
        { "dpm_solver_multistep", "dpmpp_2m", NULL }, { "dpm++", "dpmpp_2m", NULL }, { "dpmpp", "dpmpp_2m", NULL },
        { "DPMSolverSinglestepScheduler", "dpmpp_2s", NULL }, { "DPM2 a Karras", "dpm2_a", "karras" },
        { "KDPM2DiscreteScheduler", "dpm2", NULL }, { "dpm_2_ancestral", "dpm2_a", NULL }, { "PLMS", "pndm", NULL },
        { "PNDMScheduler", "pndm", NULL }, { "uni_pc", "unipc", NULL }, { "UniPC", "unipc", NULL },
        { "UniPCMultistepScheduler", "unipc", NULL }, { "LCM", "lcm", NULL }, { "TCDScheduler", "tcd", NULL },
        { " Heun  Karras ", "heun", "karras" }, { "LMS Karras", "lms", "karras" }, { "DDIM", "ddim", NULL },
        { "ddpm", "ddpm", NULL }, { "DEISMultistepScheduler", "deis", NULL }, { "euler beta", "euler", "beta" },
        { "Euler SGM Uniform", "euler", "sgm_uniform" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *sampler = NULL, *schedule = "unset";
        sdw_error err = { 0 };
        if (sdw_sampler_resolve(rows[i].name, &sampler, &schedule, &err) != SDW_OK) fail_msg("%s", err.text);
        assert_string_equal(sampler, rows[i].sampler);
        if (rows[i].schedule) assert_string_equal(schedule, rows[i].schedule);
        else assert_null(schedule);
    }
    static const char *const schedules[][2] = {
        { "Automatic", "plain" }, { "default", "plain" }, { "Karras", "karras" }, { "SGM Uniform", "sgm_uniform" },
        { "sgm_uniform", "sgm_uniform" }, { "Uniform", "normal" }, { "Normal", "normal" }, { "simple", "simple" },
        { "ddim_uniform", "ddim_uniform" }, { "DDIM", "ddim_uniform" }, { "Polyexponential", "exponential" },
        { "Beta", "beta" }, { "discrete", "normal" } };
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        const char *schedule = NULL;
        assert_int_equal(sdw_schedule_resolve(schedules[i][0], &schedule, NULL), SDW_OK);
        assert_string_equal(schedule, schedules[i][1]);
    }
}

static void other_algorithms_are_refused_with_the_nearest_name(void **state)
{
    (void)state;
    static const char *const rows[][2] = { { "DPM++ 2S a", "dpmpp_2s" },      { "DPM++ SDE", "dpmpp_2m_sde" },
                                           { "DPM++ 3M SDE", "dpmpp_2m_sde" }, { "DPM++ SDE Karras", "dpmpp_2m_sde" },
                                           { "DPM++ 2M SDE Heun", "dpmpp_2m_sde" }, { "DPM fast", "dpmpp_2m" },
                                           { "Restart", "heun" },              { "k_dpm_ad", "dpmpp_2m" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *sampler = NULL, *schedule = NULL;
        sdw_error err = { 0 };
        assert_int_equal(sdw_sampler_resolve(rows[i][0], &sampler, &schedule, &err), SDW_INVALID);
        assert_string_equal(err.field, "sampler");
        if (!strstr(err.text, "nearest") || !strstr(err.text, rows[i][1])) fail_msg("%s: %s", rows[i][0], err.text);
        assert_null(sampler);
    }
    static const char *const bad[] = { "", " ", "eulers", "karras", "euler euler", "k_", "\xff\xfe",
        "a name that is far longer than any name that a sampler could ever have, and then some more" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *sampler = NULL, *schedule = NULL;
        assert_int_equal(sdw_sampler_resolve(bad[i], &sampler, &schedule, NULL), SDW_INVALID);
        assert_int_equal(sdw_schedule_resolve(i == 3 ? "" : bad[i], &schedule, NULL), SDW_INVALID);
    }
}

static void lists_are_sorted_and_every_name_in_them_leads_back(void **state)
{
    (void)state;
    sdw_sampling_name rows[SDW_NAMES_MAX];
    size_t count = sdw_sampler_list(rows, SDW_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *found[4] = { rows[i].name, rows[i].label ? rows[i].label : rows[i].name, NULL, NULL };
        assert_true(i == 0 || strcmp(rows[i - 1].name, rows[i].name) < 0);
        assert_true(rows[i].summary[0] != '\0' && rows[i].class_name != NULL);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(sdw_sampler_resolve(found[k], &found[2], &found[3], NULL), SDW_OK);
            assert_string_equal(found[2], rows[i].name);
        }
        assert_string_equal(sdw_sampler_label(rows[i].name), found[1]);
        const char *alias;
        for (size_t k = 0; (alias = sdw_sampler_alias(rows[i].name, k)) != NULL; k++) {
            assert_int_equal(sdw_sampler_resolve(alias, &found[2], &found[3], NULL), SDW_OK);
            assert_string_equal(found[2], rows[i].name);
        }
    }
    count = sdw_schedule_list(rows, SDW_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *found = NULL;
        assert_true(i == 0 || strcmp(rows[i - 1].name, rows[i].name) < 0);
        assert_int_equal(sdw_schedule_resolve(rows[i].label, &found, NULL), SDW_OK);
        assert_string_equal(found, rows[i].name);
        const char *alias;
        for (size_t k = 0; (alias = sdw_schedule_alias(rows[i].name, k)) != NULL; k++) {
            assert_int_equal(sdw_schedule_resolve(alias, &found, NULL), SDW_OK);
            assert_string_equal(found, rows[i].name);
        }
    }
    assert_null(sdw_sampler_label(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_levels_have_the_published_ends),
        cmocka_unit_test(timetables_have_the_published_values),
        cmocka_unit_test(trailing_rounds_halves_to_even),
        cmocka_unit_test(plms_repeats_its_second_timestep),
        cmocka_unit_test(whole_timesteps_of_simple_and_ddim_uniform_are_right),
        cmocka_unit_test(beta_quantiles_agree_with_scipy),
        cmocka_unit_test(solvers_follow_the_exact_solution_of_a_model_that_knows),
        cmocka_unit_test(samplers_with_fresh_noise_keep_the_variance_of_each_level),
        cmocka_unit_test(every_sampler_and_schedule_is_finite_for_any_number_of_steps),
        cmocka_unit_test(every_spacing_is_finite_up_to_all_timesteps),
        cmocka_unit_test(strength_runs_the_last_steps_of_the_timetable),
        cmocka_unit_test(noise_is_drawn_where_the_reference_draws),
        cmocka_unit_test(runs_that_take_turns_give_the_bytes_of_a_run_alone),
        cmocka_unit_test(starting_again_repeats_the_run),
        cmocka_unit_test(a_model_output_that_is_not_finite_ends_the_run),
        cmocka_unit_test(a_failed_allocation_is_an_error_and_leaks_nothing),
        cmocka_unit_test(requests_that_make_no_sense_are_refused_by_name),
        cmocka_unit_test(config_values_that_we_do_not_follow_are_refused_where_they_matter),
        cmocka_unit_test(a_config_file_decides_sampler_schedule_and_spacing),
        cmocka_unit_test(options_override_the_config),
        cmocka_unit_test(broken_config_files_are_refused_by_key),
        cmocka_unit_test(names_of_all_interfaces_resolve),
        cmocka_unit_test(other_algorithms_are_refused_with_the_nearest_name),
        cmocka_unit_test(lists_are_sorted_and_every_name_in_them_leads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
