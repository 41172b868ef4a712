/* Known answers: the schedulers of the diffusers library with a formula for a model (data/make_trajectories.py). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/sampling.h"

#define SIZE 2

/* The reference adds up in f32, we in double; its own rounding, carried through up to 20 steps, is what remains. */
#define STATE_TOLERANCE 5e-6

static yyjson_doc *document;

static int load(void **state)
{
    (void)state;
    document = yyjson_read_file(SDW_SOURCE_DIR "/tests/diffusion/data/trajectories.json", 0, NULL, NULL);
    return document ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    yyjson_doc_free(document);
    return 0;
}

static void draw(void *ctx, float *dst, size_t n)
{
    uint32_t *seed = ctx;
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        dst[i] = (float)(((double)(*seed >> 8) / 8388608.0 - 1) * 1.7);
    }
}

static void model(const float *x, double t, float *out)
{
    for (int i = 0; i < SIZE; i++) out[i] = (float)(tanh(0.8 * (double)x[i] + 0.3 * i) * 0.9 + 0.2 * cos(t / 300 + i));
}

static double relative(const float *got, yyjson_val *want)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < SIZE; i++) {
        double w = yyjson_get_num(yyjson_arr_get(want, i)), d = (double)got[i] - w;
        error += d * d;
        size += w * w;
    }
    return sqrt(error / size);
}

static const char *text(yyjson_val *c, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(c, key));
}

static sdw_sampling *create(yyjson_val *c)
{
    sdw_scheduler_config config;
    sdw_error err = { 0 };
    sdw_sampling *s = NULL;
    yyjson_val *strength = yyjson_obj_get(c, "strength"), *eta = yyjson_obj_get(c, "eta");
    sdw_sampling_options o = {
        .sampler = text(c, "sampler"),
        .schedule = text(c, "schedule"),
        .steps = yyjson_get_int(yyjson_obj_get(c, "steps")),
        .strength = strength ? yyjson_get_num(strength) : 1,
        .has_eta = eta != NULL,
        .eta = eta ? yyjson_get_num(eta) : 0,
        .elements = SIZE,
    };
    if (text(c, "spacing")) assert_int_equal(sdw_spacing_parse(text(c, "spacing"), &o.spacing, &err), SDW_OK);
    if (text(c, "final_sigma"))
        assert_int_equal(sdw_final_sigma_parse(text(c, "final_sigma"), &o.final_sigma, &err), SDW_OK);
    sdw_status status = sdw_scheduler_config_read(yyjson_obj_get(c, "config"), "config", &config, &err);
    if (status == SDW_OK) status = sdw_sampling_create(&config, &o, &s, &err);
    if (status != SDW_OK) fail_msg("%s: %s", text(c, "name"), err.text);
    sdw_scheduler_config_finish(&config);
    return s;
}

static double table_error(const double *got, int count, yyjson_val *want, bool is_relative)
{
    double worst = 0;
    if ((size_t)count != yyjson_arr_size(want)) return INFINITY;
    for (int i = 0; i < count; i++) {
        double w = yyjson_get_num(yyjson_arr_get(want, (size_t)i));
        worst = fmax(worst, fabs(got[i] - w) / (is_relative && w != 0 ? fabs(w) : 1));
    }
    return worst;
}

static void timesteps_and_sigmas_equal_the_reference(void **state)
{
    (void)state;
    size_t i, n;
    int timetables = 0, sigma_tables = 0;
    double worst_timestep = 0, worst_sigma = 0;
    yyjson_val *c;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(document), "cases"), i, n, c) {
        if (!yyjson_obj_get(c, "timesteps")) continue;
        sdw_sampling *s = create(c);
        int count;
        const double *table = sdw_sampling_timesteps(s, &count);
        double error = table_error(table, count, yyjson_obj_get(c, "timesteps"), false);
        if (error > 2e-3) fail_msg("%s: timesteps are off by %g", text(c, "name"), error);
        timetables++;
        worst_timestep = fmax(worst_timestep, error);
        table = sdw_sampling_sigmas(s, &count);
        if (table && yyjson_obj_get(c, "sigmas")) {
            error = table_error(table, count, yyjson_obj_get(c, "sigmas"), true);
            if (error > 2e-7) fail_msg("%s: sigmas are off by %g", text(c, "name"), error);
            worst_sigma = fmax(worst_sigma, error);
            sigma_tables++;
        }
        sdw_sampling_free(s);
    }
    assert_true(timetables > 200 && sigma_tables > 100);
    print_message("%d timetables within %.2g, %d sigma tables within %.2g relative\n", timetables, worst_timestep,
                  sigma_tables, worst_sigma);
}

/* Walks one case; returns the worst relative error of its states and of the noised picture. */
static double walk(yyjson_val *c)
{
    sdw_sampling *s = create(c);
    yyjson_val *states = yyjson_obj_get(c, "states"), *noised = yyjson_obj_get(c, "noised");
    int every = yyjson_get_int(yyjson_obj_get(c, "every")), call = 0;
    uint32_t seed = 7;
    const float image[SIZE] = { 0.4f, -1.1f };
    float first[SIZE], input[SIZE], output[SIZE], timestep;
    sdw_error err = { 0 };
    draw(&seed, first, SIZE);
    if (yyjson_obj_get(c, "strength")) sdw_sampling_start_image(s, image, first);
    else sdw_sampling_start_noise(s, first);
    size_t next = 1;
    double worst = relative(sdw_sampling_state(s), yyjson_arr_get(states, 0));
    while (sdw_sampling_next(s, &timestep, input)) {
        model(input, (double)timestep, output);
        sdw_status status = sdw_sampling_feed(s, output, draw, &seed, NULL, &err);
        if (status != SDW_OK) fail_msg("%s: %s", text(c, "name"), err.text);
        call++;
        if (call % every == 0 || call == sdw_sampling_evaluations(s))
            worst = fmax(worst, relative(sdw_sampling_state(s), yyjson_arr_get(states, next++)));
        if (noised) {
            float blend[SIZE];
            sdw_sampling_noised(s, image, first, blend);
            worst = fmax(worst, relative(blend, yyjson_arr_get(noised, (size_t)call - 1)));
        }
    }
    assert_int_equal(next, yyjson_arr_size(states));
    sdw_sampling_free(s);
    return worst;
}

static void every_state_equals_the_reference(void **state)
{
    (void)state;
    size_t i, n;
    int bad = 0;
    double worst = 0;
    const char *worst_name = "";
    yyjson_val *c;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(document), "cases"), i, n, c) {
        double error = walk(c);
        if (error > worst) {
            worst = error;
            worst_name = text(c, "name");
        }
        yyjson_val *own = yyjson_obj_get(c, "tolerance"); /* where the reference's f32 cancels: reasons in the script */
        double limit = own ? yyjson_get_num(own) : STATE_TOLERANCE;
        if (!(error <= limit)) {
            print_message("%s: relative error %.3g, want at most %.3g\n", text(c, "name"), error, limit);
            bad++;
        }
    }
    print_message("%zu trajectories, worst relative error %.3g (%s)\n", n, worst, worst_name);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timesteps_and_sigmas_equal_the_reference),
        cmocka_unit_test(every_state_equals_the_reference),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
