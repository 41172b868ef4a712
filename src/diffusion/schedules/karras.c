/* karras.c - even steps in sigma^(1/7): Karras et al. 2022, eq. 5 with rho = 7. */
#include "diffusion/schedule.h"

#include <math.h>

static void sigmas(double max, double min, int n, double *ret_sigmas)
{
    const double rho = 7;
    double high = pow(max, 1 / rho), low = pow(min, 1 / rho);
    for (int i = 0; i < n; i++) ret_sigmas[i] = pow(high + sdw_schedule_line(0, 1, n, i) * (low - high), rho);
}

extern const sdw_schedule sdw_schedule_karras;
const sdw_schedule sdw_schedule_karras = {
    .name = "karras",
    .summary = "even steps in the seventh root of sigma: more steps at low noise",
    .label = "Karras",
    .config_key = "use_karras_sigmas",
    .sigmas = sigmas,
};
