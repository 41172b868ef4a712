/* normal.c - even timesteps from the noisiest to 0, both included: k-diffusion's own timetable. */
#include "diffusion/schedule.h"

static void timesteps(const sdw_levels *levels, int n, double *ret_timesteps)
{
    for (int i = 0; i < n; i++) ret_timesteps[i] = sdw_schedule_line(levels->count - 1, 0, n, i);
}

extern const sdw_schedule sdw_schedule_normal;
const sdw_schedule sdw_schedule_normal = {
    .name = "normal",
    .summary = "even timesteps, both ends included, as k-diffusion",
    .label = "Normal",
    .timesteps = timesteps,
};
