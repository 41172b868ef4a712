/* beta.c - sigmas at the quantiles of a beta distribution with both shapes 0.6: Lee et al. 2024, "Beta Sampling is
 * All You Need". Dense at both ends. */
#include "diffusion/beta_distribution.h"
#include "diffusion/schedule.h"

static void sigmas(double max, double min, int n, double *ret_sigmas)
{
    const double shape = 0.6;
    for (int i = 0; i < n; i++)
        ret_sigmas[i] = min + sdw_beta_quantile(1 - sdw_schedule_line(0, 1, n, i), shape, shape) * (max - min);
}

extern const sdw_schedule sdw_schedule_beta;
const sdw_schedule sdw_schedule_beta = {
    .name = "beta",
    .summary = "quantiles of a beta distribution: more steps at both ends",
    .label = "Beta",
    .config_key = "use_beta_sigmas",
    .sigmas = sigmas,
};
