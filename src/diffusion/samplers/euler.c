/* euler.c - Karras et al. 2022, algorithm 1 without its second-order correction: along dx/dsigma = (x - x0) / sigma. */
#include "diffusion/sampler.h"

static void stage(sdw_sampler_run *r)
{
    double shrink = r->sigmas[r->call + 1] / r->sigmas[r->call];
    sdw_combine(r->state, r->elements, (sdw_term[]){ { shrink, r->state }, { 1 - shrink, r->estimate } }, 2);
}

extern const sdw_sampler sdw_sampler_euler;
const sdw_sampler sdw_sampler_euler = {
    .name = "euler",
    .summary = "Euler's method in sigma, first order",
    .label = "Euler",
    .class_name = "EulerDiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_FINAL_CHOICE | SDW_SAMPLER_SIGMA_KEYS,
    .stage = stage,
};
