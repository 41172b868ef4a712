/* scheduler_config.c - one pass over the object: each key has a row that says how it is read.
 * null counts as absent, as in the reference. Keys without a row belong to nobody we know and are skipped. */
#include "diffusion/scheduler_config.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "diffusion/names.h"
#include "diffusion/registry.h"

typedef struct reader {
    const char *what;
    sdw_error *err;
    sdw_scheduler_config *config;
} reader;

typedef sdw_status (*read_key)(const reader *r, const char *key, yyjson_val *value);

static sdw_status wrong(const reader *r, const char *key, yyjson_val *value, const char *want)
{
    if (yyjson_is_str(value))
        return sdw_fail(r->err, SDW_FORMAT, "%s: %s is \"%.60s\", want %s", r->what, key, yyjson_get_str(value), want);
    if (yyjson_is_num(value))
        return sdw_fail(r->err, SDW_FORMAT, "%s: %s is %g, want %s", r->what, key, yyjson_get_num(value), want);
    return sdw_fail(r->err, SDW_FORMAT, "%s: %s is of type %s, want %s", r->what, key, yyjson_get_type_desc(value),
                    want);
}

static sdw_status number(const reader *r, const char *key, yyjson_val *value, double min, double max, double *ret)
{
    double v = yyjson_is_num(value) ? yyjson_get_num(value) : NAN;
    if (!(v >= min && v <= max)) return wrong(r, key, value, max < 1e30 ? "a number in range" : "a number");
    *ret = v;
    return SDW_OK;
}

static sdw_status whole(const reader *r, const char *key, yyjson_val *value, int min, int max, int *ret)
{
    double v = yyjson_is_num(value) ? yyjson_get_num(value) : NAN;
    if (!(v >= min && v <= max && v == floor(v))) return wrong(r, key, value, "a whole number in range");
    *ret = (int)v;
    return SDW_OK;
}

static sdw_status boolean(const reader *r, const char *key, yyjson_val *value, bool *ret)
{
    if (!yyjson_is_bool(value)) return wrong(r, key, value, "true or false");
    *ret = yyjson_get_bool(value);
    return SDW_OK;
}

static sdw_status maybe(const reader *r, const char *key, yyjson_val *value, sdw_maybe *ret)
{
    bool b = false;
    sdw_status status = boolean(r, key, value, &b);
    if (status == SDW_OK) *ret = b ? SDW_MAYBE_TRUE : SDW_MAYBE_FALSE;
    return status;
}

static sdw_status text(const reader *r, const char *key, yyjson_val *value, const char **ret)
{
    if (!yyjson_is_str(value)) return wrong(r, key, value, "a text");
    *ret = yyjson_get_str(value);
    return SDW_OK;
}

static bool one_of(const char *s, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(s, *names)) return true;
    return false;
}

static sdw_status read_class(const reader *r, const char *key, yyjson_val *value)
{
    const char *name = NULL;
    sdw_status status = text(r, key, value, &name);
    if (status != SDW_OK) return status;
    const sdw_sampler *sampler = sdw_sampler_of_class(name);
    if (!sampler)
        return sdw_fail(r->err, SDW_UNSUPPORTED, "%s: no sampler stands for scheduler class \"%.60s\"", r->what, name);
    r->config->sampler = sampler->name;
    return SDW_OK;
}

static sdw_status read_prediction(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    if (!strcmp(s, "original_sample")) s = "sample";
    if (sdw_prediction_parse(s, &r->config->prediction, NULL) != SDW_OK)
        return wrong(r, key, value, "epsilon, v_prediction or sample");
    return SDW_OK;
}

static sdw_status read_spacing(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    if (sdw_spacing_parse(s, &r->config->spacing, NULL) != SDW_OK)
        return wrong(r, key, value, "leading, linspace or trailing");
    return SDW_OK;
}

static sdw_status read_final_sigma(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    if (sdw_final_sigma_parse(s, &r->config->final_sigma, NULL) != SDW_OK)
        return wrong(r, key, value, "zero or sigma_min");
    return SDW_OK;
}

static sdw_status read_beta_schedule(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    if (!strcmp(s, "linear")) r->config->beta_schedule = SDW_BETAS_LINEAR;
    else if (!strcmp(s, "scaled_linear")) r->config->beta_schedule = SDW_BETAS_SCALED_LINEAR;
    else if (!strcmp(s, "squaredcos_cap_v2")) r->config->beta_schedule = SDW_BETAS_COSINE;
    else return wrong(r, key, value, "linear, scaled_linear or squaredcos_cap_v2");
    return SDW_OK;
}

static sdw_status read_trained_betas(const reader *r, const char *key, yyjson_val *value)
{
    size_t count = yyjson_arr_size(value);
    if (!yyjson_is_arr(value) || count < 1 || count > SDW_TRAIN_STEPS_MAX)
        return wrong(r, key, value, "a list of 1..10000 numbers");
    float *betas = sdw_calloc(count, sizeof *betas);
    if (!betas) return sdw_fail_memory(r->err, "trained betas", count * sizeof *betas);
    sdw_free(r->config->trained_betas);
    r->config->trained_betas = betas;
    r->config->trained_beta_count = (int)count;
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(value, i, n, item) {
        double beta = 0;
        sdw_status status = number(r, key, item, 0, 1, &beta);
        if (status != SDW_OK) return status;
        betas[i] = (float)beta;
    }
    return SDW_OK;
}

/* The DPM-Solver classes and DEIS take each other's names for their own default. */
static sdw_status read_algorithm(const reader *r, const char *key, yyjson_val *value)
{
    static const char *const known[] = { "dpmsolver++", "deis", NULL }, *const noise[] = { "dpmsolver", "sde-dpmsolver",
                                                                                           NULL };
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    r->config->sde = !strcmp(s, "sde-dpmsolver++") ? SDW_MAYBE_TRUE : SDW_MAYBE_FALSE;
    r->config->noise_solver = one_of(s, noise);
    if (r->config->sde != SDW_MAYBE_TRUE && !r->config->noise_solver && !one_of(s, known))
        return wrong(r, key, value, "dpmsolver++ or sde-dpmsolver++");
    return SDW_OK;
}

static sdw_status read_solver_type(const reader *r, const char *key, yyjson_val *value)
{
    static const char *const known[] = { "midpoint", "heun", "logrho", "bh1", "bh2", NULL };
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    if (!one_of(s, known)) return wrong(r, key, value, "midpoint, heun, logrho, bh1 or bh2");
    r->config->heun_corrector = !strcmp(s, "heun") ? SDW_MAYBE_TRUE : SDW_MAYBE_FALSE;
    r->config->bh1 = !strcmp(s, "bh1") ? SDW_MAYBE_TRUE : SDW_MAYBE_FALSE;
    return SDW_OK;
}

static sdw_status read_variance_type(const reader *r, const char *key, yyjson_val *value)
{
    static const char *const small[] = { "fixed_small", "fixed_small_log", NULL };
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status != SDW_OK) return status;
    r->config->fixed_large = !strcmp(s, "fixed_large") ? SDW_MAYBE_TRUE : SDW_MAYBE_FALSE;
    r->config->learned_variance = r->config->fixed_large == SDW_MAYBE_FALSE && !one_of(s, small);
    return SDW_OK;
}

static sdw_status read_interpolation(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status == SDW_OK) r->config->log_interpolation = strcmp(s, "linear") != 0;
    return status;
}

static sdw_status read_timestep_type(const reader *r, const char *key, yyjson_val *value)
{
    const char *s = NULL;
    sdw_status status = text(r, key, value, &s);
    if (status == SDW_OK) r->config->continuous_timesteps = strcmp(s, "discrete") != 0;
    return status;
}

static sdw_status read_skip_prk(const reader *r, const char *key, yyjson_val *value)
{
    bool skip = true;
    sdw_status status = boolean(r, key, value, &skip);
    r->config->prk_steps = !skip;
    return status;
}

static sdw_status read_predict_x0(const reader *r, const char *key, yyjson_val *value)
{
    bool x0 = true;
    sdw_status status = boolean(r, key, value, &x0);
    r->config->predicts_noise = !x0;
    return status;
}

/* Minus infinity, which JSON cannot say, is the default; writers that can say it write a very low number or text. */
static sdw_status read_lambda_min(const reader *r, const char *key, yyjson_val *value)
{
    (void)key;
    r->config->clipped_lambda = yyjson_is_num(value) && yyjson_get_num(value) > -1e30;
    return SDW_OK;
}

#define SCHEDULE_KEY(name)                                                             \
    static sdw_status read_##name(const reader *r, const char *key, yyjson_val *value) \
    {                                                                                  \
        bool on = false;                                                               \
        sdw_status status = boolean(r, key, value, &on);                               \
        if (on) r->config->schedule = #name;                                           \
        return status;                                                                 \
    }
SCHEDULE_KEY(karras)
SCHEDULE_KEY(exponential)
SCHEDULE_KEY(beta)
#undef SCHEDULE_KEY

#define FLAG_KEY(field)                                                                 \
    static sdw_status read_##field(const reader *r, const char *key, yyjson_val *value) \
    {                                                                                   \
        return boolean(r, key, value, &r->config->field);                               \
    }
FLAG_KEY(thresholding)
FLAG_KEY(flow_sigmas)
FLAG_KEY(lu_lambdas)
#undef FLAG_KEY

#define MAYBE_KEY(field)                                                                \
    static sdw_status read_##field(const reader *r, const char *key, yyjson_val *value) \
    {                                                                                   \
        return maybe(r, key, value, &r->config->field);                                 \
    }
MAYBE_KEY(set_alpha_to_one)
MAYBE_KEY(clip_sample)
MAYBE_KEY(zero_snr)
MAYBE_KEY(lower_order_final)
MAYBE_KEY(euler_at_final)
#undef MAYBE_KEY

#define NUMBER_KEY(field, min, max)                                                     \
    static sdw_status read_##field(const reader *r, const char *key, yyjson_val *value) \
    {                                                                                   \
        sdw_status status = number(r, key, value, min, max, &r->config->field);         \
        r->config->has_##field = status == SDW_OK;                                      \
        return status;                                                                  \
    }
NUMBER_KEY(beta_start, 0, 1)
NUMBER_KEY(beta_end, 0, 1)
NUMBER_KEY(timestep_scaling, 0, 1e6)
NUMBER_KEY(clip_range, 0, FLT_MAX)
#undef NUMBER_KEY

#define WHOLE_KEY(field, min, max)                                                      \
    static sdw_status read_##field(const reader *r, const char *key, yyjson_val *value) \
    {                                                                                   \
        sdw_status status = whole(r, key, value, min, max, &r->config->field);          \
        r->config->has_##field = status == SDW_OK;                                      \
        return status;                                                                  \
    }
WHOLE_KEY(steps_offset, 0, SDW_TRAIN_STEPS_MAX)
WHOLE_KEY(train_steps, 1, SDW_TRAIN_STEPS_MAX)
WHOLE_KEY(solver_order, 1, 3)
WHOLE_KEY(original_steps, 1, SDW_TRAIN_STEPS_MAX)
#undef WHOLE_KEY

static sdw_status read_sigma_min(const reader *r, const char *key, yyjson_val *value)
{
    return number(r, key, value, 1e-6, 1e6, &r->config->sigma_min);
}

static sdw_status read_sigma_max(const reader *r, const char *key, yyjson_val *value)
{
    return number(r, key, value, 1e-6, 1e6, &r->config->sigma_max);
}

static const struct {
    const char *key;
    read_key read;
} keys[] = {
    { "_class_name", read_class },
    { "prediction_type", read_prediction },
    { "timestep_spacing", read_spacing },
    { "final_sigmas_type", read_final_sigma },
    { "beta_schedule", read_beta_schedule },
    { "beta_start", read_beta_start },
    { "beta_end", read_beta_end },
    { "trained_betas", read_trained_betas },
    { "num_train_timesteps", read_train_steps },
    { "steps_offset", read_steps_offset },
    { "set_alpha_to_one", read_set_alpha_to_one },
    { "clip_sample", read_clip_sample },
    { "clip_sample_range", read_clip_range },
    { "rescale_betas_zero_snr", read_zero_snr },
    { "use_karras_sigmas", read_karras },
    { "use_exponential_sigmas", read_exponential },
    { "use_beta_sigmas", read_beta },
    { "sigma_min", read_sigma_min },
    { "sigma_max", read_sigma_max },
    { "solver_order", read_solver_order },
    { "solver_type", read_solver_type },
    { "algorithm_type", read_algorithm },
    { "lower_order_final", read_lower_order_final },
    { "euler_at_final", read_euler_at_final },
    { "variance_type", read_variance_type },
    { "original_inference_steps", read_original_steps },
    { "timestep_scaling", read_timestep_scaling },
    { "skip_prk_steps", read_skip_prk },
    { "thresholding", read_thresholding },
    { "use_flow_sigmas", read_flow_sigmas },
    { "use_lu_lambdas", read_lu_lambdas },
    { "interpolation_type", read_interpolation },
    { "timestep_type", read_timestep_type },
    { "predict_x0", read_predict_x0 },
    { "lambda_min_clipped", read_lambda_min },
};

sdw_status sdw_scheduler_config_read(yyjson_val *object, const char *what, sdw_scheduler_config *ret_config,
                                     sdw_error *err)
{
    sdw_scheduler_config config = { 0 };
    reader r = { what, err, &config };
    if (object && !yyjson_is_obj(object)) return sdw_fail(err, SDW_FORMAT, "%s: want a JSON object", what);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        yyjson_val *value = yyjson_obj_get(object, keys[i].key);
        if (!value || yyjson_is_null(value)) continue;
        sdw_status status = keys[i].read(&r, keys[i].key, value);
        if (status != SDW_OK) {
            sdw_scheduler_config_finish(&config);
            return status;
        }
    }
    *ret_config = config;
    return SDW_OK;
}

void sdw_scheduler_config_finish(sdw_scheduler_config *config)
{
    sdw_free(config->trained_betas);
    memset(config, 0, sizeof *config);
}

static bool equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        char c = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        if (c == '-' || c == ' ') c = '_';
        if (c != *b) return false;
        if (!c) return true;
    }
}

typedef struct choice {
    const char *name;
    int value;
} choice;

static bool choose(const char *s, const choice *rows, size_t count, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (!equal(s, rows[i].name)) continue;
        *ret = rows[i].value;
        return true;
    }
    return false;
}

sdw_status sdw_prediction_parse(const char *s, sdw_prediction *ret_prediction, sdw_error *err)
{
    static const choice rows[] = { { "epsilon", SDW_PREDICTION_EPSILON }, { "eps", SDW_PREDICTION_EPSILON },
                                   { "v_prediction", SDW_PREDICTION_V },  { "vprediction", SDW_PREDICTION_V },
                                   { "v", SDW_PREDICTION_V },             { "sample", SDW_PREDICTION_SAMPLE } };
    int value;
    if (!choose(s, rows, sizeof rows / sizeof rows[0], &value))
        return sdw_fail_field(err, SDW_INVALID, "prediction",
                              "prediction \"%.60s\": want epsilon, v_prediction or sample", s);
    *ret_prediction = (sdw_prediction)value;
    return SDW_OK;
}

sdw_status sdw_spacing_parse(const char *s, sdw_spacing *ret_spacing, sdw_error *err)
{
    static const choice rows[] = { { "leading", SDW_SPACING_LEADING },
                                   { "linspace", SDW_SPACING_LINSPACE },
                                   { "trailing", SDW_SPACING_TRAILING } };
    int value;
    if (!choose(s, rows, sizeof rows / sizeof rows[0], &value))
        return sdw_fail_field(err, SDW_INVALID, "spacing", "spacing \"%.60s\": want leading, linspace or trailing", s);
    *ret_spacing = (sdw_spacing)value;
    return SDW_OK;
}

sdw_status sdw_final_sigma_parse(const char *s, sdw_final_sigma *ret_final, sdw_error *err)
{
    static const choice rows[] = { { "zero", SDW_FINAL_SIGMA_ZERO },
                                   { "min", SDW_FINAL_SIGMA_MIN },
                                   { "sigma_min", SDW_FINAL_SIGMA_MIN } };
    int value;
    if (!choose(s, rows, sizeof rows / sizeof rows[0], &value))
        return sdw_fail_field(err, SDW_INVALID, "final_sigma", "final sigma \"%.60s\": want zero or min", s);
    *ret_final = (sdw_final_sigma)value;
    return SDW_OK;
}
