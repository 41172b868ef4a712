/* scheduler_config.h - what a model folder's scheduler_config.json says, with a flag for each key that is there.
 * Keys that are absent take the defaults of whichever sampler runs in the end, so absence must be remembered. */
#ifndef SDW_DIFFUSION_SCHEDULER_CONFIG_H
#define SDW_DIFFUSION_SCHEDULER_CONFIG_H

#include <stdbool.h>
#include <yyjson.h>

#include "core/status.h"

/* Every schedule in use has 1000 training steps; the maximum bounds tables and trained_betas. */
#define SDW_TRAIN_STEPS_MAX 10000

typedef enum sdw_prediction {
    SDW_PREDICTION_DEFAULT, /* what the file says; epsilon where it says nothing */
    SDW_PREDICTION_EPSILON,
    SDW_PREDICTION_V,
    SDW_PREDICTION_SAMPLE
} sdw_prediction;

typedef enum sdw_spacing {
    SDW_SPACING_DEFAULT, /* what the file says, else the sampler's own */
    SDW_SPACING_LEADING,
    SDW_SPACING_LINSPACE,
    SDW_SPACING_TRAILING
} sdw_spacing;

typedef enum sdw_final_sigma {
    SDW_FINAL_SIGMA_DEFAULT, /* what the file says, else the sampler's own */
    SDW_FINAL_SIGMA_ZERO,
    SDW_FINAL_SIGMA_MIN
} sdw_final_sigma;

typedef enum sdw_beta_schedule {
    SDW_BETAS_DEFAULT,       /* not in the file */
    SDW_BETAS_LINEAR,
    SDW_BETAS_SCALED_LINEAR, /* linear in the square roots */
    SDW_BETAS_COSINE         /* squaredcos_cap_v2 */
} sdw_beta_schedule;

/* A boolean key that may be absent. */
typedef enum sdw_maybe { SDW_MAYBE_ABSENT, SDW_MAYBE_FALSE, SDW_MAYBE_TRUE } sdw_maybe;

/* A zeroed struct is a valid config in which every key is absent. */
typedef struct sdw_scheduler_config {
    const char *sampler;          /* the sampler of _class_name, static storage; NULL = absent */
    const char *schedule;         /* "karras", "exponential" or "beta" from the use_*_sigmas keys; NULL = none set */
    sdw_prediction prediction;
    sdw_spacing spacing;
    sdw_final_sigma final_sigma;
    sdw_beta_schedule beta_schedule;
    bool has_beta_start, has_beta_end, has_steps_offset, has_train_steps, has_solver_order, has_original_steps;
    bool has_timestep_scaling, has_clip_range;
    double beta_start, beta_end, timestep_scaling, clip_range;
    double sigma_min, sigma_max;  /* ends of karras, exponential and beta; 0 = absent */
    int steps_offset, train_steps, solver_order, original_steps;
    sdw_maybe set_alpha_to_one, clip_sample, zero_snr, lower_order_final, euler_at_final;
    sdw_maybe fixed_large;        /* DDPM's variance_type is fixed_large, not fixed_small */
    sdw_maybe sde;                /* algorithm_type of the DPM-Solver classes is sde-dpmsolver++ */
    sdw_maybe heun_corrector;     /* solver_type "heun" of the DPM-Solver classes */
    sdw_maybe bh1;                /* solver_type "bh1" of UniPC */
    /* Values that some class reads and that we do not follow; create refuses them for those samplers. */
    bool prk_steps, thresholding, learned_variance, noise_solver, flow_sigmas, lu_lambdas, log_interpolation;
    bool continuous_timesteps, predicts_noise, clipped_lambda;
    int trained_beta_count;       /* 0 = no trained_betas */
    float *trained_betas;         /* owned */
} sdw_scheduler_config;

/* Reads a scheduler_config.json object; NULL (no such file) gives the zeroed config. `what` names the file in errors.
 * Unknown keys are ignored; a class that no sampler stands for and a value of the wrong kind are errors that name it.
 * Values that only some samplers read are judged when a run is created. Any thread. */
sdw_status sdw_scheduler_config_read(yyjson_val *object, const char *what, sdw_scheduler_config *ret_config,
                                     sdw_error *err);
/* Frees what the struct owns and zeroes it. */
void sdw_scheduler_config_finish(sdw_scheduler_config *config);

/* "epsilon", "v_prediction" ("v"), "sample"; case, '-', '_' and ' ' do not matter. */
sdw_status sdw_prediction_parse(const char *text, sdw_prediction *ret_prediction, sdw_error *err);
/* "leading", "linspace", "trailing". */
sdw_status sdw_spacing_parse(const char *text, sdw_spacing *ret_spacing, sdw_error *err);
/* "zero", "min" ("sigma_min"). */
sdw_status sdw_final_sigma_parse(const char *text, sdw_final_sigma *ret_final, sdw_error *err);

#endif
