/* heun.c - Karras et al. 2022, algorithm 1: an Euler step, then once more with the mean of the slopes at both ends.
 * The step to sigma 0 stays first order, since the slope there divides by zero. */
#include "diffusion/sampler.h"

#include <string.h>

enum { START, SLOPE }; /* scratch */

static void stage(sdw_sampler_run *r)
{
    bool second = r->call % 2;
    double from = r->sigmas[second ? r->call - 1 : r->call], to = r->sigmas[second ? r->call : r->call + 1];
    double here = second ? to : from;
    sdw_term slope[] = { { 1 / here, r->state }, { -1 / here, r->estimate } };
    if (second) {
        sdw_term mean[] = { { 1, r->scratch[START] }, { (to - from) / 2, r->scratch[SLOPE] },
                            { (to - from) / 2 * slope[0].factor, r->state },
                            { (to - from) / 2 * slope[1].factor, r->estimate } };
        sdw_combine(r->state, r->elements, mean, 4);
        return;
    }
    memcpy(r->scratch[START], r->state, r->elements * sizeof(float));
    sdw_combine(r->scratch[SLOPE], r->elements, slope, 2);
    double shrink = to / from;
    sdw_combine(r->state, r->elements, (sdw_term[]){ { shrink, r->state }, { 1 - shrink, r->estimate } }, 2);
}

extern const sdw_sampler sdw_sampler_heun;
const sdw_sampler sdw_sampler_heun = {
    .name = "heun",
    .summary = "Heun's method in sigma, second order; two model calls per step",
    .label = "Heun",
    .class_name = "HeunDiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.00085, .beta_end = 0.012,
    .flags = SDW_SAMPLER_TWO_CALLS | SDW_SAMPLER_CLIPS | SDW_SAMPLER_SIGMA_KEYS,
    .scratch_vectors = 2,
    .stage = stage,
};
