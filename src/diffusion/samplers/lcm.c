/* lcm.c - latent consistency models: Luo et al. 2023, multistep consistency sampling. Each call estimates x0 at once;
 * all steps but the last add fresh noise of the next level. The boundary condition (eq. 9) mixes a trace of the state
 * into the estimate near timestep 0. */
#include "diffusion/sampler.h"

#include <math.h>

static bool draws(const sdw_sampler_run *r)
{
    return r->call < r->calls - 1;
}

static void stage(sdw_sampler_run *r)
{
    const double data = 0.5; /* standard deviation of the data in the paper's parametrisation */
    double t = r->timesteps[r->call] * r->timestep_scaling;
    double skip = data * data / (t * t + data * data), out = t / sqrt(t * t + data * data);
    sdw_level to = { 1, 0, 0 };
    if (draws(r)) to = sdw_run_level(r, r->call + 1);
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { to.alpha * out, r->estimate }, { to.alpha * skip, r->state }, { to.sigma, r->noise } },
                3);
}

extern const sdw_sampler sdw_sampler_lcm;
const sdw_sampler sdw_sampler_lcm = {
    .name = "lcm",
    .summary = "latent consistency model, for models distilled to few steps",
    .label = "LCM",
    .class_name = "LCMScheduler",
    .timetable = SDW_TIMETABLE_DISTILLED,
    .spacing = SDW_SPACING_LEADING,
    .betas = SDW_BETAS_SCALED_LINEAR, .beta_start = 0.00085, .beta_end = 0.012,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_CLIPS | SDW_SAMPLER_ALPHA_ONE | SDW_SAMPLER_ZERO_SNR
             | SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_OWN_SPACING | SDW_SAMPLER_PLAIN_ONLY,
    .draws = draws,
    .stage = stage,
};
