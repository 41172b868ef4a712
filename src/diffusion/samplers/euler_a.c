/* euler_a.c - Euler's method to sigma_down, then fresh noise of sigma_up (k-diffusion's ancestral step). The last
 * step draws too, as the reference does, although its share is zero: the generator moves on. */
#include "diffusion/ancestral.h"
#include "diffusion/sampler.h"

static bool draws(const sdw_sampler_run *r)
{
    (void)r;
    return true;
}

static void stage(sdw_sampler_run *r)
{
    double from = r->sigmas[r->call], to = r->sigmas[r->call + 1];
    double shrink = sdw_ancestral_down(from, to) / from;
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { shrink, r->state }, { 1 - shrink, r->estimate },
                              { sdw_ancestral_up(from, to), r->noise } }, 3);
}

extern const sdw_sampler sdw_sampler_euler_a;
const sdw_sampler sdw_sampler_euler_a = {
    .name = "euler_a",
    .summary = "Euler ancestral: Euler's method with fresh noise in every step",
    .label = "Euler a",
    .class_name = "EulerAncestralDiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_ZERO_SNR,
    .draws = draws,
    .stage = stage,
};
