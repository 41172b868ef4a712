/* dpm2.c - DPM-Solver-2 in sigma (KDPM2). The last step goes straight to zero with one call. */
#include "diffusion/midpoint.h"

static void stage(sdw_sampler_run *r)
{
    int i = r->call;
    if (i % 2) sdw_midpoint_second(r, r->sigmas[i - 1], r->call_sigmas[i], r->sigmas[i], 0);
    else sdw_midpoint_first(r, r->sigmas[i], i + 1 < r->calls ? r->call_sigmas[i + 1] : 0);
}

extern const sdw_sampler sdw_sampler_dpm2;
const sdw_sampler sdw_sampler_dpm2 = {
    .name = "dpm2",
    .summary = "DPM-Solver-2 in sigma (KDPM2); two model calls per step",
    .label = "DPM2",
    .class_name = "KDPM2DiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.00085, .beta_end = 0.012,
    .flags = SDW_SAMPLER_TWO_CALLS | SDW_SAMPLER_MIDPOINT | SDW_SAMPLER_SIGMA_KEYS | SDW_SAMPLER_ROUND_KARRAS,
    .scratch_vectors = 1,
    .stage = stage,
};
