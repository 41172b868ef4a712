/* levels.c - betas to alpha_bar to sigma, rounded as the reference rounds. */
#include "diffusion/levels.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"

static double f32(double x)
{
    return (double)(float)x;
}

/* The reference's f32 linspace counts from both ends to the middle. */
static double linspace(double start, double end, int count, int i)
{
    if (count == 1) return f32(start);
    double step = f32((f32(end) - f32(start)) / (count - 1));
    return i < count / 2 ? f32(f32(start) + step * i) : f32(f32(end) - step * (count - 1 - i));
}

/* Nichol and Dhariwal 2021, eq. 17; betas are capped at 0.999. */
static double cosine_beta(int count, int i)
{
    const double pi = 3.14159265358979323846;
    double a = cos(((double)i / count + 0.008) / 1.008 * pi / 2);
    double b = cos(((double)(i + 1) / count + 0.008) / 1.008 * pi / 2);
    return f32(fmin(1 - b * b / (a * a), 0.999));
}

static double beta(const sdw_levels_spec *spec, int i)
{
    if (spec->trained_betas) return spec->trained_betas[i];
    if (spec->schedule == SDW_BETAS_COSINE) return cosine_beta(spec->count, i);
    if (spec->schedule == SDW_BETAS_LINEAR) return linspace(spec->beta_start, spec->beta_end, spec->count, i);
    double root = linspace(sqrt(spec->beta_start), sqrt(spec->beta_end), spec->count, i);
    return f32(root * root);
}

/* Products are kept in double, only what is stored is rounded: so does the reference's cumprod. */
static void accumulate(const double *alpha, int count, double *ret_alpha_bar)
{
    double product = 1;
    for (int i = 0; i < count; i++) {
        product *= alpha[i];
        ret_alpha_bar[i] = f32(product);
    }
}

/* Shifts and scales sqrt(alpha_bar) so that the last is 0 and the first keeps its value. `alpha` is scratch. */
static void rescale_to_zero(double *alpha_bar, double *alpha, int count)
{
    double first = f32(sqrt(alpha_bar[0])), last = f32(sqrt(alpha_bar[count - 1]));
    double factor = f32(first / f32(first - last));
    double before = 1;
    for (int i = 0; i < count; i++) {
        double root = f32(f32(f32(sqrt(alpha_bar[i])) - last) * factor);
        double now = f32(root * root);
        double step = i ? f32(now / before) : now;
        alpha[i] = f32(1 - f32(1 - step)); /* the reference goes back to betas and forth again */
        before = now;
    }
    accumulate(alpha, count, alpha_bar);
}

static sdw_status fill(const sdw_levels_spec *spec, sdw_levels *l, sdw_error *err)
{
    double *alpha = l->log_sigma; /* free until the end */
    for (int i = 0; i < l->count; i++) {
        double b = beta(spec, i);
        if (!(b >= 0 && b < 1))
            return sdw_fail(err, SDW_INVALID, "scheduler config: beta of timestep %d is %g, want 0 <= beta < 1", i, b);
        alpha[i] = f32(1 - b);
    }
    accumulate(alpha, l->count, l->alpha_bar);
    if (spec->zero_snr && l->count > 1) {
        rescale_to_zero(l->alpha_bar, alpha, l->count);
        if (spec->keep_last_finite) l->alpha_bar[l->count - 1] = 0x1p-24;
    }
    for (int i = 0; i < l->count; i++) {
        double a = l->alpha_bar[i];
        l->sigma[i] = f32(sqrt(f32(f32(1 - a) / a)));
        l->log_sigma[i] = f32(log(l->sigma[i]));
    }
    return SDW_OK;
}

sdw_status sdw_levels_init(const sdw_levels_spec *spec, sdw_levels *ret, sdw_error *err)
{
    memset(ret, 0, sizeof *ret);
    if (spec->count < 1 || spec->count > SDW_TRAIN_STEPS_MAX)
        return sdw_fail(err, SDW_INVALID, "scheduler config: num_train_timesteps %d, want 1..%d", spec->count,
                        SDW_TRAIN_STEPS_MAX);
    if (!(spec->beta_start >= 0 && spec->beta_end >= 0))
        return sdw_fail(err, SDW_INVALID, "scheduler config: beta_start %g, beta_end %g: want values of 0..1",
                        spec->beta_start, spec->beta_end);
    ret->count = spec->count;
    ret->alpha_bar = sdw_calloc((size_t)spec->count, sizeof(double));
    ret->sigma = sdw_calloc((size_t)spec->count, sizeof(double));
    ret->log_sigma = sdw_calloc((size_t)spec->count, sizeof(double));
    sdw_status status;
    if (!ret->alpha_bar || !ret->sigma || !ret->log_sigma)
        status = sdw_fail_memory(err, "noise levels", 3 * (size_t)spec->count * sizeof(double));
    else
        status = fill(spec, ret, err);
    if (status != SDW_OK) sdw_levels_finish(ret);
    return status;
}

void sdw_levels_finish(sdw_levels *l)
{
    sdw_free(l->alpha_bar);
    sdw_free(l->sigma);
    sdw_free(l->log_sigma);
    memset(l, 0, sizeof *l);
}

double sdw_levels_alpha_bar(const sdw_levels *l, double t)
{
    if (t <= 0) return l->alpha_bar[0];
    if (t >= l->count - 1) return l->alpha_bar[l->count - 1];
    return l->alpha_bar[(int)t];
}

static double between(const double *table, int count, double t)
{
    if (t <= 0) return table[0];
    if (t >= count - 1) return table[count - 1];
    int low = (int)t;
    return (table[low + 1] - table[low]) * (t - low) + table[low];
}

double sdw_levels_sigma(const sdw_levels *l, double t)
{
    return between(l->sigma, l->count, t);
}

double sdw_levels_sigma_log(const sdw_levels *l, double t)
{
    return exp(between(l->log_sigma, l->count, t));
}

double sdw_levels_timestep(const sdw_levels *l, double sigma)
{
    if (l->count == 1) return 0;
    double x = log(fmax(sigma, 1e-10));
    int low = 0, high = l->count - 1; /* the last index whose log_sigma is <= x, at most count - 2 */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (l->log_sigma[middle] <= x) low = middle;
        else high = middle;
    }
    double w = (l->log_sigma[low] - x) / (l->log_sigma[low] - l->log_sigma[low + 1]);
    return low + fmin(fmax(w, 0), 1);
}
