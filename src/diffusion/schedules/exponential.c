/* exponential.c - even steps in log(sigma). */
#include "diffusion/schedule.h"

#include <math.h>

static void sigmas(double max, double min, int n, double *ret_sigmas)
{
    for (int i = 0; i < n; i++) ret_sigmas[i] = exp(sdw_schedule_line(log(max), log(min), n, i));
}

extern const sdw_schedule sdw_schedule_exponential;
const sdw_schedule sdw_schedule_exponential = {
    .name = "exponential",
    .summary = "even steps in the logarithm of sigma",
    .label = "Exponential",
    .config_key = "use_exponential_sigmas",
    .sigmas = sigmas,
};
