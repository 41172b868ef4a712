/* pndm.c - pseudo linear multi-step (PLMS): Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on
 * Manifolds", eq. 11 and 12, as every Stable Diffusion uses it, without Runge-Kutta warm-up.
 *
 * Instead, the first step is done twice: the model is asked at t0, the state moves to t1, the model is asked there,
 * and the state moves from t0 to t1 once more with the mean of both. So n steps take n + 1 calls.
 *
 * Two habits of the reference are kept because its pictures are the measure: a step always goes T/n timesteps down,
 * whatever the timetable; and a run that starts inside the timetable (image to image) still repeats its first step
 * although its entry is no longer doubled, so from its third call on the state is one step noisier than the timestep
 * says. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

enum { FIRST_STATE = 4 }; /* scratch: 0..3 the last outputs, newest first; 4 the state before the first step */

/* Transfer of eq. 11 from alpha_bar `a` to `to`; `output` is the weighted output, in scratch or the estimate. */
static void transfer(sdw_sampler_run *r, const float *from, const float *output, double a, double to)
{
    double divisor = a * sqrt(1 - to) + sqrt(a * (1 - a) * to);
    double on_noise = -(to - a) / divisor;
    /* The noise is taken at `a`, which in the repeated step is not the level of the call. */
    sdw_noise_estimate e = sdw_run_noise_estimate(r, sdw_level_of_alpha_bar(a));
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { sqrt(to / a) + on_noise * e.on_state, from }, { on_noise * e.on_output, output } }, 2);
}

static void mix_outputs(sdw_sampler_run *r, float *dst)
{
    static const double weights[4][4] = { /* Adams-Bashforth, newest first */
        { 1 }, { 3.0 / 2, -1.0 / 2 }, { 23.0 / 12, -16.0 / 12, 5.0 / 12 },
        { 55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24 } };
    sdw_term terms[4];
    for (int i = 0; i < r->history; i++) terms[i] = (sdw_term){ weights[r->history - 1][i], r->scratch[i] };
    sdw_combine(dst, r->elements, terms, r->history);
}

static void stage(sdw_sampler_run *r)
{
    int index = r->call - r->begin, stride = r->levels->count / r->n;
    double t = r->timesteps[r->call], previous = t - stride;
    bool again = index == 1;
    if (again) {
        previous = t;
        t += stride;
    } else {
        sdw_run_push(r, 4, r->output);
        if (r->history < 4) r->history++;
    }
    if (index == 0) memcpy(r->scratch[FIRST_STATE], r->state, r->elements * sizeof(float));
    double a = sdw_levels_alpha_bar(r->levels, t);
    double to = previous >= 0 ? sdw_levels_alpha_bar(r->levels, previous) : r->final_alpha_bar;
    float *mixed = r->scratch[FIRST_STATE + 1];
    if (again)
        sdw_combine(mixed, r->elements, (sdw_term[]){ { 0.5, r->output }, { 0.5, r->scratch[0] } }, 2);
    else
        mix_outputs(r, mixed);
    transfer(r, again ? r->scratch[FIRST_STATE] : r->state, mixed, a, to);
}

extern const sdw_sampler sdw_sampler_pndm;
const sdw_sampler sdw_sampler_pndm = {
    .name = "pndm",
    .summary = "pseudo linear multi-step (PLMS), fourth order; one extra model call",
    .label = "PLMS",
    .class_name = "PNDMScheduler",
    .timetable = SDW_TIMETABLE_WHOLE,
    .spacing = SDW_SPACING_LEADING,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_REPEATS | SDW_SAMPLER_PLAIN_ONLY,
    .scratch_vectors = 6,
    .stage = stage,
};
