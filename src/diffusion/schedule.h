/* schedule.h - what a schedule is: a rule that places n noise levels. Internal to this folder.
 * A schedule is a record in schedules/NAME.c with exactly one of the two functions, or none (plain). */
#ifndef SDW_DIFFUSION_SCHEDULE_H
#define SDW_DIFFUSION_SCHEDULE_H

#include "diffusion/levels.h"

typedef struct sdw_schedule {
    const char *name, *summary;
    const char *label;     /* AUTOMATIC1111's; NULL = none */
    const char *config_key; /* the scheduler_config.json key that asks for it; NULL = none */
    /* n falling sigmas from `max` to `min`, f64. */
    void (*sigmas)(double max, double min, int n, double *ret_sigmas);
    /* n falling timesteps in 0..count-1, fractions allowed; sigma follows with its logarithm interpolated. */
    void (*timesteps)(const sdw_levels *levels, int n, double *ret_timesteps);
} sdw_schedule;

/* position i of n on a line from a to b; a when n is 1 */
static inline double sdw_schedule_line(double a, double b, int n, int i)
{
    if (n == 1) return a;
    return i == n - 1 ? b : a + i * ((b - a) / (n - 1));
}

#endif
