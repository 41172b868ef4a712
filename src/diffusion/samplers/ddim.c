/* ddim.c - Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12 and 16.
 * eta is the share of fresh noise: 0 is deterministic, 1 has DDPM's variance. */
#include "diffusion/sampler.h"

#include <math.h>

/* The step goes to t - T/n, also where the timetable's next entry is another one (linspace, trailing): the reference
 * does. Timetables of schedules have no constant stride, there the next entry counts. */
static double previous_alpha_bar(const sdw_sampler_run *r)
{
    double t = r->timesteps[r->call];
    double previous = r->even_spacing ? t - r->levels->count / r->n
                      : r->call + 1 < r->calls ? r->timesteps[r->call + 1] : -1;
    return previous >= 0 ? sdw_levels_alpha_bar(r->levels, previous) : r->final_alpha_bar;
}

static bool draws(const sdw_sampler_run *r)
{
    return r->eta > 0;
}

static void stage(sdw_sampler_run *r)
{
    double a = sdw_levels_alpha_bar(r->levels, r->timesteps[r->call]), to = previous_alpha_bar(r);
    double fresh = r->eta * sqrt(fmax((1 - to) / (1 - a) * (1 - a / to), 0));
    double kept = sqrt(fmax(1 - to - fresh * fresh, 0));
    /* The noise comes from the model's output, not from a clamped estimate. */
    sdw_noise_estimate e = sdw_run_noise_estimate(r, sdw_level_of_alpha_bar(a));
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { sqrt(to), r->estimate }, { kept * e.on_state, r->state },
                              { kept * e.on_output, r->output }, { fresh, r->noise } }, 4);
}

extern const sdw_sampler sdw_sampler_ddim;
const sdw_sampler sdw_sampler_ddim = {
    .name = "ddim",
    .summary = "denoising diffusion implicit model; --eta adds noise",
    .label = "DDIM",
    .class_name = "DDIMScheduler",
    .timetable = SDW_TIMETABLE_WHOLE,
    .spacing = SDW_SPACING_LEADING,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_CLIPS | SDW_SAMPLER_CLIP_DEFAULT | SDW_SAMPLER_ALPHA_ONE
             | SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_THRESHOLDS,
    .draws = draws,
    .stage = stage,
};
