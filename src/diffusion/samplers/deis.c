/* deis.c - Zhang and Chen 2023, "Fast Sampling of Diffusion Models with Exponential Integrator": multistep in
 * rho = sigma / alpha, where the noise is extrapolated by the polynomial in log(rho) through the last estimates.
 * It works with logarithms, so its last sigma is the smallest of the model, never zero. */
#include "diffusion/sampler.h"

#include <math.h>

enum { ORDER_MAX = 3 };

/* Integral over rho of the Lagrange basis in log(rho) that is 1 at b and 0 at c. */
static double basis2(double rho, double b, double c)
{
    return rho * (log(rho) - log(c) - 1) / (log(b) - log(c));
}

/* The same with zeros at c and d. */
static double basis3(double rho, double b, double c, double d)
{
    double l = log(rho), lc = log(c), ld = log(d);
    return rho * (l * l - l * (lc + ld) + lc * ld + lc + ld - 2 * l + 2) / ((log(b) - lc) * (log(b) - ld));
}

static int stage_order(const sdw_sampler_run *r)
{
    bool short_run = r->lower_order_final && r->calls < 15;
    int order = r->history;
    if (r->call == r->calls - 1 && short_run) return 1;
    if (r->call == r->calls - 2 && short_run && order > 2) order = 2;
    for (int i = 1; i < order; i++)
        if (r->sigmas[r->call - i] == r->sigmas[r->call - i + 1]) return i;
    return order;
}

static void keep_noise(sdw_sampler_run *r, sdw_level level)
{
    sdw_noise_estimate e = sdw_run_noise_estimate(r, level);
    sdw_run_push(r, r->order, r->output);
    sdw_combine(r->scratch[0], r->elements, (sdw_term[]){ { e.on_state, r->state }, { e.on_output, r->output } }, 2);
    if (r->history < r->order) r->history++;
}

static void stage(sdw_sampler_run *r)
{
    const double *rho = r->sigmas + r->call; /* rho[0] here, rho[1] next, rho[-1] before */
    sdw_level from = sdw_level_of_sigma(rho[0]), to = sdw_level_of_sigma(rho[1]);
    keep_noise(r, from);
    int order = stage_order(r);
    double w[ORDER_MAX] = { rho[1] - rho[0] };
    if (order == 2) {
        w[0] = basis2(rho[1], rho[0], rho[-1]) - basis2(rho[0], rho[0], rho[-1]);
        w[1] = basis2(rho[1], rho[-1], rho[0]) - basis2(rho[0], rho[-1], rho[0]);
    } else if (order == 3) {
        w[0] = basis3(rho[1], rho[0], rho[-1], rho[-2]) - basis3(rho[0], rho[0], rho[-1], rho[-2]);
        w[1] = basis3(rho[1], rho[-1], rho[-2], rho[0]) - basis3(rho[0], rho[-1], rho[-2], rho[0]);
        w[2] = basis3(rho[1], rho[-2], rho[0], rho[-1]) - basis3(rho[0], rho[-2], rho[0], rho[-1]);
    }
    sdw_term terms[1 + ORDER_MAX] = { { to.alpha / from.alpha, r->state } };
    for (int i = 0; i < order; i++) terms[1 + i] = (sdw_term){ to.alpha * w[i], r->scratch[i] };
    sdw_combine(r->state, r->elements, terms, 1 + order);
}

extern const sdw_sampler sdw_sampler_deis;
const sdw_sampler sdw_sampler_deis = {
    .name = "deis",
    .summary = "diffusion exponential integrator, multistep in log(rho), second order",
    .class_name = "DEISMultistepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_MIN | SDW_SAMPLER_SIGMA_KEYS | SDW_SAMPLER_ROUND_KARRAS,
    .order = 2,
    .scratch_vectors = ORDER_MAX,
    .stage = stage,
};
