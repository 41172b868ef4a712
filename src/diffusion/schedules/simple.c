/* simple.c - every (count / n)-th timestep counted from the noisiest. */
#include "diffusion/schedule.h"

static void timesteps(const sdw_levels *levels, int n, double *ret_timesteps)
{
    double stride = (double)levels->count / n;
    for (int i = 0; i < n; i++) ret_timesteps[i] = levels->count - 1 - (int)(i * stride);
}

extern const sdw_schedule sdw_schedule_simple;
const sdw_schedule sdw_schedule_simple = {
    .name = "simple",
    .summary = "whole timesteps at even distances from the noisiest",
    .label = "Simple",
    .timesteps = timesteps,
};
