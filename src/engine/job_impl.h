/* job_impl.h - one request on its way, as the files job*.c and batch.c share it; nobody else's. */
#ifndef SDW_ENGINE_JOB_IMPL_H
#define SDW_ENGINE_JOB_IMPL_H

#include "core/rng.h"
#include "diffusion/sampling.h"
#include "engine/engine_impl.h"
#include "engine/inputs.h"
#include "engine/job.h"

typedef struct sdw_lane { /* one picture of the running group */
    sdw_job *job;
    int index;              /* in the group */
    sdw_rng rng;            /* of its own, unless the group shares one */
    sdw_sampling *sampling;
    float *noise;           /* first draw, kept for inpainting with 4 channels */
    float *clean;           /* latents of the init picture, or NULL */
    float *masked;          /* latents of the masked picture, 9 channels only */
} sdw_lane;

struct sdw_job {
    sdw_engine *engine;
    sdw_params params;
    sdw_job_hooks hooks;
    const sdw_pipeline_shape *shape;
    sdw_phase phase;
    int h, w;               /* of the latents */
    size_t elements;        /* of one latent */
    int rows, tokens;
    bool nine_channels;     /* the UNet reads mask and masked picture */
    bool early;             /* no further steps are wanted */
    sdw_inputs inputs;
    float *moments, *masked_moments; /* of the VAE encoder; computed once */
    int encoded;            /* of them, how many are there */
    sdw_vae_run *vae;       /* unfinished encoding or decoding */
    sdw_condition *condition;
    sdw_lane *lanes;        /* group_size of them */
    int group_size, first;  /* first: picture number of lane 0 */
    int turn;               /* lane whose turn it is */
    bool shared;
    sdw_rng rng;            /* of a group that shares one */
    float *draws;           /* its latest draw for all lanes */
    float *input;           /* one latent, scratch */
    float *decoded;         /* (3, height, width), then values (height, width, 3) behind it */
    int evals;
    sdw_result *result;
    sdw_vae_run *look;      /* unfinished decoding of a preview */
};

/* ---- job_lanes.c ---- */
/* Memory of every lane of a group. */
sdw_status sdw_job_create_lanes(sdw_job *j, sdw_error *err);
void sdw_job_free_lanes(sdw_job *j);
/* Noise, first latents: the lanes of the group that begins with picture j->first. */
void sdw_job_start_lanes(sdw_job *j);
bool sdw_lane_finished(const sdw_lane *l);
/* What the lane wants evaluated: j->rows rows of the UNet's input, and the timestep of each. The lane is not finished. */
void sdw_lane_ask(const sdw_lane *l, float *rows, float *timesteps);
/* The answer, j->rows rows of the UNet's output; they are overwritten. */
sdw_status sdw_lane_answer(sdw_lane *l, float *rows, sdw_error *err);
/* After an evaluation: the job goes on to decoding when all lanes have finished, or no more is wanted. */
void sdw_job_after_evaluation(sdw_job *j);

/* ---- job_pictures.c ---- */
/* Slices of the encodings; *ret_done when there is nothing left to encode. */
sdw_status sdw_job_encode_pictures(sdw_job *j, bool *ret_done, sdw_error *err);
/* Slices of the decoding of lane j->turn; *ret_done when its picture is in the result. */
sdw_status sdw_job_decode(sdw_job *j, bool *ret_done, sdw_error *err);

#endif
