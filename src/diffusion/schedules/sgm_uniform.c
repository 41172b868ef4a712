/* sgm_uniform.c - the first n of n + 1 even timesteps, so that the last step starts above the smallest sigma. */
#include "diffusion/schedule.h"

static void timesteps(const sdw_levels *levels, int n, double *ret_timesteps)
{
    for (int i = 0; i < n; i++) ret_timesteps[i] = sdw_schedule_line(levels->count - 1, 0, n + 1, i);
}

extern const sdw_schedule sdw_schedule_sgm_uniform;
const sdw_schedule sdw_schedule_sgm_uniform = {
    .name = "sgm_uniform",
    .summary = "even timesteps without the last one, as Stability's generative models",
    .label = "SGM Uniform",
    .timesteps = timesteps,
};
