/* sampler.c - the arithmetic that samplers share. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

#define BLOCK 256

sdw_level sdw_level_of_sigma(double k)
{
    double alpha = 1 / sqrt(k * k + 1);
    return (sdw_level){ alpha, k * alpha, k };
}

sdw_level sdw_level_of_alpha_bar(double alpha_bar)
{
    double alpha = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar);
    return (sdw_level){ alpha, sigma, sigma / alpha };
}

sdw_level sdw_run_level(const sdw_sampler_run *r, int call)
{
    if (r->call_sigmas) return sdw_level_of_sigma(r->call_sigmas[call]);
    if (r->sigmas) return sdw_level_of_sigma(r->sigmas[call]);
    return sdw_level_of_alpha_bar(sdw_levels_alpha_bar(r->levels, r->timesteps[call]));
}

void sdw_combine(float *dst, size_t n, const sdw_term *terms, int count)
{
    for (size_t start = 0; start < n; start += BLOCK) {
        size_t block = n - start < BLOCK ? n - start : BLOCK;
        double sum[BLOCK] = { 0 };
        for (int k = 0; k < count; k++) {
            if (terms[k].factor == 0) continue;
            const float *v = terms[k].vector + start;
            for (size_t i = 0; i < block; i++) sum[i] += terms[k].factor * (double)v[i];
        }
        for (size_t i = 0; i < block; i++) dst[start + i] = (float)sum[i];
    }
}

/* state = x / c: c is 1 where the state is alpha x0 + sigma noise, alpha where it is x0 + k noise. */
static double state_factor(const sdw_sampler_run *r, sdw_level level)
{
    return r->sampler->timetable == SDW_TIMETABLE_SIGMA ? level.alpha : 1;
}

/* With x = alpha x0 + sigma noise: a v model predicts alpha noise - sigma x0 (Salimans and Ho 2022). */
sdw_noise_estimate sdw_run_noise_estimate(const sdw_sampler_run *r, sdw_level level)
{
    switch (r->prediction) {
    case SDW_PREDICTION_V: return (sdw_noise_estimate){ level.sigma, level.alpha };
    case SDW_PREDICTION_SAMPLE: return (sdw_noise_estimate){ 1 / level.sigma, -level.alpha / level.sigma };
    default: return (sdw_noise_estimate){ 0, 1 };
    }
}

void sdw_run_estimate(sdw_sampler_run *r)
{
    sdw_level level = sdw_run_level(r, r->call);
    double c = state_factor(r, level), on_state, on_output;
    switch (r->prediction) {
    case SDW_PREDICTION_V: on_state = level.alpha * c, on_output = -level.sigma; break;
    case SDW_PREDICTION_SAMPLE: on_state = 0, on_output = 1; break;
    default: on_state = c / level.alpha, on_output = -level.k; break;
    }
    sdw_combine(r->estimate, r->elements, (sdw_term[]){ { on_state, r->state }, { on_output, r->output } }, 2);
    if (r->clip <= 0) return;
    float clip = (float)r->clip;
    for (size_t i = 0; i < r->elements; i++) { /* not fminf: a NaN must stay one */
        if (r->estimate[i] > clip) r->estimate[i] = clip;
        else if (r->estimate[i] < -clip) r->estimate[i] = -clip;
    }
}

void sdw_run_push(sdw_sampler_run *r, int count, const float *v)
{
    float *oldest = r->scratch[count - 1];
    memmove(r->scratch + 1, r->scratch, (size_t)(count - 1) * sizeof r->scratch[0]);
    r->scratch[0] = oldest;
    memcpy(oldest, v, r->elements * sizeof *v);
}
