/* ddpm.c - Ho et al. 2020, "Denoising Diffusion Probabilistic Models", eq. 7, with strides: the previous timestep is
 * the timetable's next entry, and beyond the last one there is no noise. */
#include "diffusion/sampler.h"

#include <math.h>

static bool draws(const sdw_sampler_run *r)
{
    return r->timesteps[r->call] > 0;
}

static void stage(sdw_sampler_run *r)
{
    double a = sdw_levels_alpha_bar(r->levels, r->timesteps[r->call]);
    double to = r->call + 1 < r->calls ? sdw_levels_alpha_bar(r->levels, r->timesteps[r->call + 1]) : 1;
    double beta = 1 - a / to;
    double variance = r->fixed_large ? beta : (1 - to) / (1 - a) * beta;
    double fresh = draws(r) ? sqrt(fmax(variance, 1e-20)) : 0;
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { sqrt(to) * beta / (1 - a), r->estimate },
                              { sqrt(a / to) * (1 - to) / (1 - a), r->state }, { fresh, r->noise } }, 3);
}

extern const sdw_sampler sdw_sampler_ddpm;
const sdw_sampler sdw_sampler_ddpm = {
    .name = "ddpm",
    .summary = "denoising diffusion probabilistic model: fresh noise in every step",
    .class_name = "DDPMScheduler",
    .timetable = SDW_TIMETABLE_WHOLE,
    .spacing = SDW_SPACING_LEADING,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_CLIPS | SDW_SAMPLER_CLIP_DEFAULT | SDW_SAMPLER_ZERO_SNR
             | SDW_SAMPLER_THRESHOLDS,
    .draws = draws,
    .stage = stage,
};
