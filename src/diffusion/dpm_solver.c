/* dpm_solver.c - see dpm_solver.h. With k = sigma / alpha, exp(-h) is k_end / k_start: nothing divides by zero when
 * the last sigma is zero, as long as that step is of first order. */
#include "diffusion/dpm_solver.h"

#include <math.h>

/* (exp(-h) - 1) / h + 1 and ((exp(-h) - 1 + h) / h^2 - 1/2, by series where they cancel. */
static double phi1(double h)
{
    if (fabs(h) < 1e-3) return h / 2 - h * h / 6 + h * h * h / 24;
    return expm1(-h) / h + 1;
}

static double phi2(double h)
{
    if (fabs(h) < 1e-2) return -h / 6 + h * h / 24 - h * h * h / 120 + h * h * h * h / 720;
    return (expm1(-h) + h) / (h * h) - 0.5;
}

/* What all orders share: factors of state, newest estimate and noise, and the factor of the slope at second order. */
typedef struct update {
    double on_state, on_estimate, on_noise, on_slope, h;
    sdw_level end;
} update;

static update begin_update(const sdw_sampler_run *r, int start, int end, bool sde)
{
    sdw_level s = sdw_level_of_sigma(r->sigmas[start]), t = sdw_level_of_sigma(r->sigmas[end]);
    double decay = t.k / s.k; /* exp(-h) */
    update u = { .h = decay > 0 ? -log(decay) : INFINITY, .end = t };
    if (sde) {
        double gone = 1 - decay * decay;
        u.on_state = t.sigma / s.sigma * decay;
        u.on_estimate = t.alpha * gone;
        u.on_noise = t.sigma * sqrt(fmax(gone, 0));
        u.on_slope = r->heun_corrector ? t.alpha * phi1(2 * u.h) : u.on_estimate / 2;
    } else {
        u.on_state = t.sigma / s.sigma;
        u.on_estimate = t.alpha * (1 - decay);
        u.on_slope = r->heun_corrector ? t.alpha * phi1(u.h) : u.on_estimate / 2;
    }
    return u;
}

static void finish_update(sdw_sampler_run *r, const float *from, const update *u, const double *on_estimates, int count)
{
    sdw_term terms[2 + 3] = { { u->on_state, from }, { u->on_noise, r->noise } };
    for (int i = 0; i < count; i++) terms[2 + i] = (sdw_term){ on_estimates[i], r->scratch[i] };
    sdw_combine(r->state, r->elements, terms, 2 + count);
}

/* The order of this stage: as the reference lowers it near the end, and never through equal sigmas (with very many
 * steps neighbours coincide; slopes between them do not exist). */
static int stage_order(const sdw_sampler_run *r)
{
    bool short_run = r->lower_order_final && r->calls < 15;
    int order = r->history;
    if (r->call == r->calls - 1 && (r->euler_at_final || short_run || r->final_zero)) return 1;
    if (r->call == r->calls - 2 && short_run && order > 2) order = 2;
    for (int i = 1; i < order; i++)
        if (r->sigmas[r->call - i] == r->sigmas[r->call - i + 1]) return i;
    return order;
}

void sdw_dpm_multistep(sdw_sampler_run *r, bool sde)
{
    sdw_run_push(r, r->order, r->estimate);
    if (r->history < r->order) r->history++;
    int order = stage_order(r), i = r->call;
    update u = begin_update(r, i, i + 1, sde);
    double weights[3] = { u.on_estimate };
    if (order == 2) {
        double slope = u.on_slope * u.h / log(r->sigmas[i - 1] / r->sigmas[i]);
        weights[0] += slope;
        weights[1] -= slope;
    } else if (order == 3) {
        double h0 = log(r->sigmas[i - 1] / r->sigmas[i]), h1 = log(r->sigmas[i - 2] / r->sigmas[i - 1]);
        double first = u.end.alpha * phi1(u.h), second = -u.end.alpha * phi2(u.h) * u.h / (h0 + h1);
        double share = h0 / (h0 + h1);
        double newer = (first * (1 + share) + second) * u.h / h0, older = -(first * share + second) * u.h / h1;
        weights[0] += newer;
        weights[1] += older - newer;
        weights[2] -= older;
    }
    finish_update(r, r->state, &u, weights, order);
}

void sdw_dpm_second_order(sdw_sampler_run *r, const float *from, int start, int middle, int end, const float *m0,
                          const float *m1)
{
    update u = begin_update(r, start, end, false);
    double slope = 0;
    if (r->sigmas[middle] != r->sigmas[start]) slope = u.on_slope * u.h / log(r->sigmas[start] / r->sigmas[middle]);
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { u.on_state, from }, { slope, m0 },
                              { u.on_estimate - slope, middle == start ? m0 : m1 } }, 3);
}
