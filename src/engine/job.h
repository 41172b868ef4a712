/* job.h - one request on its way to pictures, cut into units of work: a prompt encoding, a picture encoding, one model
 * evaluation, one decode. Whoever drives jobs (sdw_generate does one after another) calls advance until done and may
 * look, cancel or take turns with other jobs in between. One thread, the engine's. */
#ifndef SDW_ENGINE_JOB_H
#define SDW_ENGINE_JOB_H

#include "sdw/sdw.h"

typedef struct sdw_job sdw_job;

/* What the driver of a job wants to be otherwise than sdw_generate, and for the reference replay what it puts in and what it
 * looks at. Zeroed: nothing. */
typedef struct sdw_job_hooks {
    const float *noise;  /* instead of the first noise of picture 0; latent shape */
    bool own_spacing;    /* see sdw_sampling_options */
    /* After every model evaluation: the sampler's state, (latent channels, h, w). */
    void (*after_feed)(void *ctx, int picture, const float *state, size_t count);
    /* The decoded picture, (height, width, 3) in 0..1, before rounding. */
    void (*decoded)(void *ctx, int picture, const float *values, int width, int height);
    void *ctx;
    bool together;       /* all pictures advance together, also where each has its own generator */
    int slices;          /* of SDW_VAE_SLICES, how many a unit of work does; 0 = all */
} sdw_job_hooks;

/* params: resolved; its strings and pictures must outlive the job. Checks the memory limit, plans, computes nothing.
 * hooks may be NULL. */
sdw_status sdw_job_create(sdw_engine *e, const sdw_params *params, const sdw_job_hooks *hooks, sdw_job **ret, sdw_error *err);
/* One unit of work. After an error the job can only be freed. */
sdw_status sdw_job_advance(sdw_job *j, bool *ret_done, sdw_error *err);
/* Where the job stands, for progress reports; seconds is left alone. */
void sdw_job_progress(const sdw_job *j, sdw_progress *ret);
/* What the clean latents of the first running picture look like by now, (channels, h, w), before the VAE's scaling is
 * undone; NULL before the first evaluation. Valid until the next unit. */
const float *sdw_job_estimate(const sdw_job *j, int *ret_channels, int *ret_h, int *ret_w);
/* The same decoded, in slices; the picture's pixels are the caller's (sdw_free). begin fixes what will be seen, and drops
 * an unfinished look, as end does. The job may have steps in between. */
sdw_status sdw_job_look_begin(sdw_job *j, sdw_error *err);
sdw_status sdw_job_look_go(sdw_job *j, int slices, bool *ret_done, sdw_picture *ret, sdw_error *err);
void sdw_job_look_end(sdw_job *j);
/* No further steps: after the evaluation now pending, if it is the first, what there is gets decoded. */
void sdw_job_finish_early(sdw_job *j);

/* Jobs whose keys agree in h, w and tokens may share model evaluations (batch.h). */
typedef struct sdw_job_key {
    int h, w, tokens;    /* latent sides; tokens of the prompt */
    int rows;            /* of one picture in an evaluation */
} sdw_job_key;
void sdw_job_key_of(const sdw_job *j, sdw_job_key *ret);
int sdw_job_lanes(const sdw_job *j);            /* pictures that advance together */
/* Evaluations that a lane has had, -1 if it wants none (now). Lanes of a job must take turns: fewest first, then by number. */
int sdw_job_lane_evaluations(const sdw_job *j, int lane);
int sdw_job_steps_done(const sdw_job *j);       /* by every lane */
/* The finished job's result; the job keeps nothing of it. */
sdw_status sdw_job_take(sdw_job *j, sdw_result **ret, sdw_error *err);
void sdw_job_free(sdw_job *j); /* accepts NULL */

/* Bytes and work of a resolved request. Any thread, at any time between open and close. */
sdw_status sdw_job_cost(sdw_engine *e, const sdw_params *params, sdw_cost *ret, sdw_error *err);

#endif
