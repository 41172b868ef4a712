/* ddim_uniform.c - the original DDIM code's timetable: multiples of count / n, plus 1. */
#include "diffusion/schedule.h"

static void timesteps(const sdw_levels *levels, int n, double *ret_timesteps)
{
    int stride = levels->count / n > 0 ? levels->count / n : 1;
    for (int i = 0; i < n; i++) {
        int t = (n - 1 - i) * stride + 1;
        ret_timesteps[i] = t < levels->count ? t : levels->count - 1;
    }
}

extern const sdw_schedule sdw_schedule_ddim_uniform;
const sdw_schedule sdw_schedule_ddim_uniform = {
    .name = "ddim_uniform",
    .summary = "multiples of a whole stride plus one, as the first DDIM code",
    .label = "DDIM",
    .timesteps = timesteps,
};
