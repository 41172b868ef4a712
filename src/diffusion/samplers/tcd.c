/* tcd.c - trajectory consistency distillation: Zheng et al. 2024, strategic stochastic sampling. A step jumps to
 * timestep s = (1 - eta) t_next along the trajectory and is noised from there up to t_next; eta is the paper's gamma.
 * The last target is timestep 0, without noise. */
#include "diffusion/sampler.h"

#include <math.h>

static bool draws(const sdw_sampler_run *r)
{
    return r->eta > 0 && r->call < r->calls - 1;
}

static void stage(sdw_sampler_run *r)
{
    double next = r->call + 1 < r->calls ? r->timesteps[r->call + 1] : 0;
    double to = sdw_levels_alpha_bar(r->levels, next);
    double jump = sdw_levels_alpha_bar(r->levels, floor((double)((float)(1 - r->eta) * (float)next)));
    double scale = draws(r) ? sqrt(to / jump) : 1, fresh = draws(r) ? sqrt(fmax(1 - to / jump, 0)) : 0;
    sdw_noise_estimate e = sdw_run_noise_estimate(r, sdw_run_level(r, r->call));
    double kept = scale * sqrt(1 - jump);
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { scale * sqrt(jump), r->estimate }, { kept * e.on_state, r->state },
                              { kept * e.on_output, r->output }, { fresh, r->noise } }, 4);
}

extern const sdw_sampler sdw_sampler_tcd;
const sdw_sampler sdw_sampler_tcd = {
    .name = "tcd",
    .summary = "trajectory consistency distillation, for distilled models; --eta adds noise",
    .class_name = "TCDScheduler",
    .timetable = SDW_TIMETABLE_DISTILLED,
    .spacing = SDW_SPACING_LEADING,
    .betas = SDW_BETAS_SCALED_LINEAR, .beta_start = 0.00085, .beta_end = 0.012,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_ALPHA_ONE | SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_OWN_SPACING
             | SDW_SAMPLER_PLAIN_ONLY,
    .draws = draws,
    .stage = stage,
};
