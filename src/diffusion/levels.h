/* levels.h - how noisy a training timestep is: the tables that every sampler reads.
 *
 * x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise (Ho et al. 2020, eq. 4); dividing by sqrt(alpha_bar) gives
 * x0 + k noise with k = sqrt((1 - alpha_bar) / alpha_bar), the sigma of Karras et al. 2022.
 *
 * The reference builds these tables in f32, and 1 - alpha_bar[0] has only four digits there. So each f32 rounding is
 * repeated here: the tables are then equal, not merely close (exact ones differ by 1.3e-5 in the smallest sigma). */
#ifndef SDW_DIFFUSION_LEVELS_H
#define SDW_DIFFUSION_LEVELS_H

#include <stdbool.h>

#include "core/status.h"
#include "diffusion/scheduler_config.h"

typedef struct sdw_levels {
    int count;         /* training timesteps */
    double *alpha_bar; /* owned, as are the next two; f32 values */
    double *sigma;     /* k of the comment above; rises with t */
    double *log_sigma;
} sdw_levels;

typedef struct sdw_levels_spec {
    sdw_beta_schedule schedule; /* not DEFAULT */
    double beta_start, beta_end;
    int count;
    const float *trained_betas; /* `count` values that replace schedule, start and end; NULL = none */
    bool zero_snr;              /* rescale so that the last alpha_bar is 0 (Lin et al. 2024, algorithm 1) */
    bool keep_last_finite;      /* after that: the last alpha_bar is 2^-24, for samplers that divide by it */
} sdw_levels_spec;

/* ret is zeroed first. SDW_INVALID when a beta leaves [0, 1), SDW_NO_MEMORY. */
sdw_status sdw_levels_init(const sdw_levels_spec *spec, sdw_levels *ret, sdw_error *err);
void sdw_levels_finish(sdw_levels *l);

/* alpha_bar at a whole timestep; beyond the ends the end's value. */
double sdw_levels_alpha_bar(const sdw_levels *l, double t);
/* sigma at t, linear between whole timesteps, held at the ends. */
double sdw_levels_sigma(const sdw_levels *l, double t);
/* The same with log(sigma) linear, as k-diffusion does. */
double sdw_levels_sigma_log(const sdw_levels *l, double t);
/* The inverse of sigma_log: a timestep in 0..count-1. */
double sdw_levels_timestep(const sdw_levels *l, double sigma);

#endif
