/* sampling.c - puts a run together from config and options, then drives its sampler call by call. */
#include "diffusion/sampling.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "diffusion/names.h"
#include "diffusion/registry.h"
#include "diffusion/timetable.h"

struct sdw_sampling {
    sdw_sampler_run run;
    sdw_levels levels;
    const sdw_schedule *schedule;
    double init_noise_sigma;
    float *vectors; /* owned: state, estimate, noise, scratch */
    int steps, steps_done;
    bool failed;
};

/* ---- create ---- */

/* What runs, after aliases, config and defaults. */
typedef struct choices {
    const sdw_sampler *sampler;
    const sdw_schedule *schedule;
    bool config_order; /* the config's solver_order counts */
    sdw_spacing spacing;
    bool final_min;
} choices;

/* The multistep class has three records; algorithm and order in the file decide between them. */
static sdw_status sampler_of_config(const sdw_scheduler_config *c, const char **ret_name, sdw_error *err)
{
    const char *name = c->sampler ? c->sampler : "euler";
    if (!strcmp(name, "dpmpp_2m")) {
        if (c->sde == SDW_MAYBE_TRUE && c->has_solver_order && c->solver_order == 3)
            return sdw_fail(err, SDW_UNSUPPORTED, "scheduler config: sde-dpmsolver++ with solver_order 3; want 1 or 2");
        if (c->sde == SDW_MAYBE_TRUE) name = "dpmpp_2m_sde";
        else if (c->has_solver_order && c->solver_order == 3) name = "dpmpp_3m";
    } else if (!strcmp(name, "dpmpp_2s")) {
        if (c->sde == SDW_MAYBE_TRUE || (c->has_solver_order && c->solver_order != 2))
            return sdw_fail(err, SDW_UNSUPPORTED, "scheduler config: DPMSolverSinglestepScheduler is built in for "
                            "dpmsolver++ with solver_order 2 only");
    }
    *ret_name = name;
    return SDW_OK;
}

/* Config values that the chosen class reads and that we do not follow. */
static sdw_status check_config(const sdw_scheduler_config *c, const sdw_sampler *s, sdw_error *err)
{
    bool solver = !strncmp(s->class_name, "DPMSolver", 9), unipc = !strcmp(s->name, "unipc");
    const char *key = NULL;
    if (c->prk_steps && !strcmp(s->name, "pndm")) key = "skip_prk_steps false (Runge-Kutta warm-up)";
    else if (c->thresholding && (s->flags & SDW_SAMPLER_THRESHOLDS)) key = "thresholding true (for pixel models)";
    else if (c->learned_variance && (solver || !strcmp(s->name, "ddpm"))) key = "a learned variance_type";
    else if (c->noise_solver && solver) key = "algorithm_type dpmsolver without ++";
    else if (c->flow_sigmas && s->timetable == SDW_TIMETABLE_SOLVER) key = "use_flow_sigmas true";
    else if (c->lu_lambdas && !strcmp(s->class_name, "DPMSolverMultistepScheduler")) key = "use_lu_lambdas true";
    else if (c->clipped_lambda && solver) key = "a finite lambda_min_clipped";
    else if (c->log_interpolation && !strcmp(s->name, "euler")) key = "an interpolation_type other than linear";
    else if (c->continuous_timesteps && !strcmp(s->name, "euler")) key = "a timestep_type other than discrete";
    else if (c->predicts_noise && unipc) key = "predict_x0 false";
    if (!key) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "scheduler config: %s of %s is not built in", key, s->class_name);
}

static sdw_status check_pair(const sdw_sampler *s, const sdw_schedule *schedule, sdw_error *err)
{
    bool plain = !schedule->sigmas && !schedule->timesteps;
    if (plain) return SDW_OK;
    if (s->timetable == SDW_TIMETABLE_DISTILLED)
        return sdw_fail_field(err, SDW_INVALID, "schedule", "schedule %s with sampler %s: the model was distilled on "
                              "the sampler's own timesteps; want plain", schedule->name, s->name);
    if (s->flags & SDW_SAMPLER_PLAIN_ONLY)
        return sdw_fail_field(err, SDW_INVALID, "schedule", "schedule %s with sampler %s: its multi-step weights hold "
                              "for evenly spaced timesteps only; want plain", schedule->name, s->name);
    if (s->timetable == SDW_TIMETABLE_WHOLE && schedule->sigmas)
        return sdw_fail_field(err, SDW_INVALID, "schedule", "schedule %s with sampler %s: it gives sigmas between the "
                              "timesteps, the sampler works on whole timesteps; want plain, normal, simple, "
                              "sgm_uniform or ddim_uniform", schedule->name, s->name);
    return SDW_OK;
}

static sdw_status choose_sampler(const sdw_scheduler_config *c, const sdw_sampling_options *o, choices *ret,
                                 sdw_error *err)
{
    const char *name = NULL, *schedule = NULL;
    sdw_status status = o->sampler ? sdw_sampler_resolve(o->sampler, &name, &schedule, err)
                                   : sampler_of_config(c, &name, err);
    if (status == SDW_OK && o->schedule) status = sdw_schedule_resolve(o->schedule, &schedule, err);
    if (status != SDW_OK) return status;
    ret->sampler = sdw_sampler_find(name);
    /* A DPM-Solver sampler that was named has the order of its name. */
    ret->config_order = !o->sampler || strncmp(name, "dpmpp", 5) != 0;
    /* From the config a schedule counts only where the class reads its key, so that it never refuses a sampler. */
    if (!schedule && (ret->sampler->flags & SDW_SAMPLER_SIGMA_KEYS)) schedule = c->schedule;
    ret->schedule = sdw_schedule_find(schedule ? schedule : "plain");
    status = check_pair(ret->sampler, ret->schedule, err);
    return status == SDW_OK ? check_config(c, ret->sampler, err) : status;
}

static sdw_status choose_ends(const sdw_scheduler_config *c, const sdw_sampling_options *o, choices *ret,
                              sdw_error *err)
{
    const sdw_sampler *s = ret->sampler;
    if (o->spacing != SDW_SPACING_DEFAULT && s->timetable == SDW_TIMETABLE_DISTILLED)
        return sdw_fail_field(err, SDW_INVALID, "spacing", "a spacing with sampler %s: the model was distilled on the "
                              "sampler's own timesteps; leave it out", s->name);
    bool own = o->own_spacing || (s->flags & SDW_SAMPLER_OWN_SPACING);
    ret->spacing = o->spacing;
    if (ret->spacing == SDW_SPACING_DEFAULT && !own) ret->spacing = c->spacing;
    if (ret->spacing == SDW_SPACING_DEFAULT) ret->spacing = s->spacing;

    bool choice = s->flags & SDW_SAMPLER_FINAL_CHOICE, always_min = s->flags & SDW_SAMPLER_FINAL_MIN;
    sdw_final_sigma fixed = always_min ? SDW_FINAL_SIGMA_MIN : SDW_FINAL_SIGMA_ZERO, final = o->final_sigma;
    if (!choice && final != SDW_FINAL_SIGMA_DEFAULT && final != fixed)
        return sdw_fail_field(err, SDW_INVALID, "final_sigma", "final sigma %s with sampler %s: it always ends at %s",
                              always_min ? "zero" : "min", s->name, always_min ? "the smallest sigma" : "zero");
    if (final == SDW_FINAL_SIGMA_DEFAULT) final = choice ? c->final_sigma : fixed;
    ret->final_min = final == SDW_FINAL_SIGMA_MIN;
    return SDW_OK;
}

static bool is(sdw_maybe value, bool absent)
{
    return value == SDW_MAYBE_ABSENT ? absent : value == SDW_MAYBE_TRUE;
}

static sdw_status make_levels(const sdw_scheduler_config *c, const sdw_sampler *s, sdw_levels *ret, sdw_error *err)
{
    sdw_levels_spec spec = {
        .schedule = c->beta_schedule != SDW_BETAS_DEFAULT ? c->beta_schedule : s->betas,
        .beta_start = c->has_beta_start ? c->beta_start : s->beta_start,
        .beta_end = c->has_beta_end ? c->beta_end : s->beta_end,
        .count = c->has_train_steps ? c->train_steps : 1000,
        .trained_betas = c->trained_betas,
        .zero_snr = (s->flags & SDW_SAMPLER_ZERO_SNR) && c->zero_snr == SDW_MAYBE_TRUE,
        .keep_last_finite = s->timetable == SDW_TIMETABLE_SIGMA || s->timetable == SDW_TIMETABLE_SOLVER,
    };
    if (c->trained_betas && c->trained_beta_count != spec.count)
        return sdw_fail(err, SDW_INVALID, "scheduler config: %d trained_betas, want num_train_timesteps = %d",
                        c->trained_beta_count, spec.count);
    return sdw_levels_init(&spec, ret, err);
}

static void set_rules(const sdw_scheduler_config *c, const sdw_sampling_options *o, const choices *chosen,
                      sdw_sampler_run *r)
{
    const sdw_sampler *s = r->sampler;
    r->prediction = o->prediction != SDW_PREDICTION_DEFAULT ? o->prediction : c->prediction;
    if (r->prediction == SDW_PREDICTION_DEFAULT) r->prediction = SDW_PREDICTION_EPSILON;
    r->eta = o->has_eta ? o->eta : 0;
    bool one = is(c->set_alpha_to_one, s->flags & SDW_SAMPLER_ALPHA_ONE);
    r->final_alpha_bar = one ? 1 : r->levels->alpha_bar[0];
    bool clips = (s->flags & SDW_SAMPLER_CLIPS) && is(c->clip_sample, s->flags & SDW_SAMPLER_CLIP_DEFAULT);
    r->clip = clips ? c->has_clip_range ? c->clip_range : 1 : 0;
    r->timestep_scaling = c->has_timestep_scaling ? c->timestep_scaling : 10;
    r->order = s->order;
    if (chosen->config_order && c->has_solver_order && s->order > 0) r->order = c->solver_order;
    r->lower_order_final = is(c->lower_order_final, strcmp(s->name, "dpmpp_2s") != 0);
    r->euler_at_final = is(c->euler_at_final, false);
    r->final_zero = !chosen->final_min;
    r->heun_corrector = is(c->heun_corrector, false);
    r->bh1 = is(c->bh1, false);
    r->fixed_large = is(c->fixed_large, false);
}

/* "The last int(n * strength) steps", as indices of calls. */
static void set_range(sdw_sampling *s, double strength)
{
    sdw_sampler_run *r = &s->run;
    int kept = (int)(r->n * strength);
    if (kept > r->n) kept = r->n;
    int first = r->n - kept;
    s->steps = kept;
    r->begin = kept == 0 ? r->calls : r->sampler->flags & SDW_SAMPLER_TWO_CALLS ? 2 * first : first;
}

static sdw_status make_vectors(sdw_sampling *s, size_t elements, sdw_error *err)
{
    sdw_sampler_run *r = &s->run;
    size_t count = 3 + (size_t)r->sampler->scratch_vectors, total, bytes;
    if (!sdw_size_mul(count, elements, &total) || !sdw_size_mul(total, sizeof(float), &bytes))
        return sdw_fail(err, SDW_LIMIT, "sampling: %zu vectors of %zu elements do not fit in memory", count, elements);
    s->vectors = sdw_calloc(total, sizeof(float));
    if (!s->vectors) return sdw_fail_memory(err, "sampler state", bytes);
    r->elements = elements;
    r->state = s->vectors;
    r->estimate = s->vectors + elements;
    r->noise = s->vectors + 2 * elements;
    for (int i = 0; i < r->sampler->scratch_vectors; i++) r->scratch[i] = s->vectors + (3 + (size_t)i) * elements;
    return SDW_OK;
}

static sdw_status check_options(const sdw_sampling_options *o, sdw_error *err)
{
    if (o->steps < 1 || o->steps > SDW_SAMPLING_STEPS_MAX)
        return sdw_fail_field(err, SDW_INVALID, "steps", "steps %d: want 1..%d", o->steps, SDW_SAMPLING_STEPS_MAX);
    if (!(o->strength >= 0 && o->strength <= 1))
        return sdw_fail_field(err, SDW_INVALID, "strength", "strength %g: want 0..1", o->strength);
    if (o->has_eta && !(o->eta >= 0 && o->eta <= 1))
        return sdw_fail_field(err, SDW_INVALID, "eta", "eta %g: want 0..1", o->eta);
    if (o->elements == 0) return sdw_fail(err, SDW_INTERNAL, "sampling: 0 elements, want at least 1");
    return SDW_OK;
}

/* x = noise * this. The largest sigma is the first; "leading" counts the picture's own variance in. */
static double start_sigma(const sdw_sampler_run *r, const choices *chosen)
{
    if (r->sampler->timetable != SDW_TIMETABLE_SIGMA) return 1;
    double max = r->sigmas[0];
    bool leading = chosen->spacing == SDW_SPACING_LEADING && !chosen->schedule->timesteps;
    return leading ? sqrt(max * max + 1) : max;
}

static sdw_status build(const sdw_scheduler_config *c, const sdw_sampling_options *o, sdw_sampling *s, sdw_error *err)
{
    choices chosen = { 0 };
    sdw_sampler_run *r = &s->run;
    sdw_status status = check_options(o, err);
    if (status == SDW_OK) status = choose_sampler(c, o, &chosen, err);
    if (status == SDW_OK) status = choose_ends(c, o, &chosen, err);
    if (status == SDW_OK) status = make_levels(c, chosen.sampler, &s->levels, err);
    if (status != SDW_OK) return status;
    s->schedule = chosen.schedule;
    r->sampler = chosen.sampler;
    r->levels = &s->levels;
    r->n = o->steps;
    set_rules(c, o, &chosen, r);
    sdw_timetable_spec spec = {
        .schedule = chosen.schedule,
        .spacing = chosen.spacing,
        .steps_offset = c->has_steps_offset ? c->steps_offset : 0,
        .original_steps = c->has_original_steps ? c->original_steps : 50,
        .final_min = chosen.final_min,
        .round_karras = (r->sampler->flags & SDW_SAMPLER_ROUND_KARRAS) && c->beta_schedule != SDW_BETAS_COSINE,
        .sigma_min = c->sigma_min,
        .sigma_max = c->sigma_max,
    };
    status = sdw_timetable_fill(r, &spec, err);
    if (status != SDW_OK) return status;
    set_range(s, o->strength);
    s->init_noise_sigma = start_sigma(r, &chosen);
    return make_vectors(s, o->elements, err);
}

sdw_status sdw_sampling_create(const sdw_scheduler_config *config, const sdw_sampling_options *options,
                               sdw_sampling **ret_sampling, sdw_error *err)
{
    sdw_sampling *s = sdw_calloc(1, sizeof *s);
    if (!s) return sdw_fail_memory(err, "sampling", sizeof *s);
    sdw_status status = build(config, options, s, err);
    if (status != SDW_OK) {
        sdw_sampling_free(s);
        return status;
    }
    s->run.call = s->run.begin;
    *ret_sampling = s;
    return SDW_OK;
}

void sdw_sampling_free(sdw_sampling *s)
{
    if (!s) return;
    sdw_levels_finish(&s->levels);
    sdw_free(s->run.timesteps);
    sdw_free(s->run.sigmas);
    sdw_free(s->run.call_sigmas);
    sdw_free(s->vectors);
    sdw_free(s);
}

/* ---- queries ---- */

const char *sdw_sampling_sampler(const sdw_sampling *s)
{
    return s->run.sampler->name;
}

const char *sdw_sampling_schedule(const sdw_sampling *s)
{
    return s->schedule->name;
}

sdw_prediction sdw_sampling_prediction(const sdw_sampling *s)
{
    return s->run.prediction;
}

int sdw_sampling_steps(const sdw_sampling *s)
{
    return s->steps;
}

int sdw_sampling_evaluations(const sdw_sampling *s)
{
    return s->run.calls - s->run.begin;
}

bool sdw_sampling_draws(const sdw_sampling *s)
{
    sdw_sampler_run r = s->run;
    if (!r.sampler->draws) return false;
    for (r.call = r.begin; r.call < r.calls; r.call++)
        if (r.sampler->draws(&r)) return true;
    return false;
}

double sdw_sampling_init_noise_sigma(const sdw_sampling *s)
{
    return s->init_noise_sigma;
}

const double *sdw_sampling_timesteps(const sdw_sampling *s, int *ret_count)
{
    *ret_count = s->run.calls;
    return s->run.timesteps;
}

const double *sdw_sampling_sigmas(const sdw_sampling *s, int *ret_count)
{
    *ret_count = s->run.sigma_count;
    return s->run.sigmas;
}

/* ---- start ---- */

static void restart(sdw_sampling *s)
{
    s->run.call = s->run.begin;
    s->run.history = 0;
    s->run.last_order = 0;
    s->steps_done = 0;
    s->failed = false;
    memset(s->run.estimate, 0, s->run.elements * sizeof(float));
}

void sdw_sampling_start_noise(sdw_sampling *s, const float *noise)
{
    restart(s);
    sdw_combine(s->run.state, s->run.elements, (sdw_term[]){ { s->init_noise_sigma, noise } }, 1);
}

void sdw_sampling_start_image(sdw_sampling *s, const float *latents, const float *noise)
{
    restart(s);
    sdw_sampling_noised(s, latents, noise, s->run.state);
}

/* The level is read from the sigma table, not from where the model is asked: between the two calls of a DPM2 step
 * these differ, and the reference takes the table. */
void sdw_sampling_noised(const sdw_sampling *s, const float *latents, const float *noise, float *ret)
{
    const sdw_sampler_run *r = &s->run;
    sdw_level level = { 1, 0, 0 };
    if (r->call < r->calls)
        level = r->sigmas ? sdw_level_of_sigma(r->sigmas[r->call]) : sdw_run_level(r, r->call);
    if (r->sampler->timetable == SDW_TIMETABLE_SIGMA) level.alpha = 1, level.sigma = level.k;
    sdw_combine(ret, r->elements, (sdw_term[]){ { level.alpha, latents }, { level.sigma, noise } }, 2);
}

/* ---- loop ---- */

bool sdw_sampling_next(const sdw_sampling *s, float *ret_timestep, float *ret_input)
{
    const sdw_sampler_run *r = &s->run;
    if (s->failed || r->call >= r->calls) return false;
    double scale = r->sampler->timetable == SDW_TIMETABLE_SIGMA ? sdw_run_level(r, r->call).alpha : 1;
    sdw_combine(ret_input, r->elements, (sdw_term[]){ { scale, r->state } }, 1);
    *ret_timestep = (float)r->timesteps[r->call];
    return true;
}

/* Whether the call that was just made ends a step. */
static bool ends_step(const sdw_sampler_run *r)
{
    if (r->sampler->flags & SDW_SAMPLER_TWO_CALLS) return r->call % 2 || r->call == r->calls - 1;
    if (r->sampler->flags & SDW_SAMPLER_REPEATS) return r->call > r->begin || r->calls == 1;
    return true;
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

sdw_status sdw_sampling_feed(sdw_sampling *s, const float *output, sdw_draw draw, void *ctx, bool *ret_step_done,
                             sdw_error *err)
{
    sdw_sampler_run *r = &s->run;
    if (s->failed || r->call >= r->calls) return sdw_fail(err, SDW_INTERNAL, "sampling: fed after its last call");
    r->output = output;
    sdw_run_estimate(r);
    if (r->sampler->draws && r->sampler->draws(r)) {
        if (!draw) return sdw_fail(err, SDW_INTERNAL, "sampling: %s draws noise, but no generator", r->sampler->name);
        draw(ctx, r->noise, r->elements);
    }
    r->sampler->stage(r);
    r->output = NULL;
    if (!all_finite(r->state, r->elements)) {
        s->failed = true;
        return sdw_fail(err, SDW_NUMERIC, "latents after model call %d of %d (timestep %g) are not finite numbers",
                        r->call - r->begin + 1, sdw_sampling_evaluations(s), r->timesteps[r->call]);
    }
    bool done = ends_step(r);
    r->call++;
    s->steps_done += done;
    if (ret_step_done) *ret_step_done = done;
    return SDW_OK;
}

int sdw_sampling_steps_done(const sdw_sampling *s)
{
    return s->steps_done;
}

int sdw_sampling_evaluations_done(const sdw_sampling *s)
{
    return s->run.call - s->run.begin;
}

float *sdw_sampling_state(sdw_sampling *s)
{
    return s->run.state;
}

const float *sdw_sampling_estimate(const sdw_sampling *s)
{
    return s->run.estimate;
}
