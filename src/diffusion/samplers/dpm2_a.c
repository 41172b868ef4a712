/* dpm2_a.c - DPM-Solver-2 in sigma to sigma_down, then fresh noise (KDPM2 ancestral). Noise is drawn after each second
 * call; the last step has a single call and draws nothing. */
#include "diffusion/ancestral.h"
#include "diffusion/midpoint.h"

static bool draws(const sdw_sampler_run *r)
{
    return r->call % 2;
}

static void stage(sdw_sampler_run *r)
{
    int i = r->call;
    if (i % 2) {
        double from = r->sigmas[i - 1], to = r->sigmas[i];
        sdw_midpoint_second(r, from, r->call_sigmas[i], sdw_ancestral_down(from, to), sdw_ancestral_up(from, to));
    } else {
        sdw_midpoint_first(r, r->sigmas[i], i + 1 < r->calls ? r->call_sigmas[i + 1] : 0);
    }
}

extern const sdw_sampler sdw_sampler_dpm2_a;
const sdw_sampler sdw_sampler_dpm2_a = {
    .name = "dpm2_a",
    .summary = "DPM2 ancestral: DPM2 with fresh noise in every step",
    .label = "DPM2 a",
    .class_name = "KDPM2AncestralDiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.00085, .beta_end = 0.012,
    .flags = SDW_SAMPLER_TWO_CALLS | SDW_SAMPLER_MIDPOINT | SDW_SAMPLER_DRAWS | SDW_SAMPLER_SIGMA_KEYS
             | SDW_SAMPLER_ROUND_KARRAS,
    .scratch_vectors = 1,
    .draws = draws,
    .stage = stage,
};
