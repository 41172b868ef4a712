/* pipeline.h - one loaded model as four things that can be run: text encoders, UNet, VAE decoder, VAE encoder.
 * Generation, the reference replay and the bench all go through these calls. Arrays at this border are host f32 in the
 * reference's order: latents and pictures NCHW, contexts (rows, tokens, width). One thread at a time. */
#ifndef SDW_ENGINE_PIPELINE_H
#define SDW_ENGINE_PIPELINE_H

#include <stdatomic.h>

#include "core/warn.h"
#include "diffusion/scheduler_config.h"
#include "model/model_files.h"
#include "tensor/backend.h"
#include "text/clip_bpe.h"

typedef struct sdw_pipeline sdw_pipeline;

typedef struct sdw_pipeline_options {
    const char *model, *config_dir, *variant, *prediction, *isa, *precision;
    int threads;
} sdw_pipeline_options;

sdw_status sdw_pipeline_open(const sdw_pipeline_options *o, sdw_pipeline **ret, sdw_warnings *warnings, sdw_error *err);
void sdw_pipeline_close(sdw_pipeline *p); /* accepts NULL */

const sdw_model_files *sdw_pipeline_files(const sdw_pipeline *p);
const sdw_scheduler_config *sdw_pipeline_scheduler(const sdw_pipeline *p);
sdw_backend *sdw_pipeline_backend(sdw_pipeline *p);
/* Tokenizer of text encoder 0 or 1; NULL if the model lacks it. */
const sdw_clip_bpe *sdw_pipeline_tokenizer(const sdw_pipeline *p, int index);
/* Set by sdw_engine_cancel; every run below stops between two ops when it is true. */
atomic_bool *sdw_pipeline_cancel_flag(sdw_pipeline *p);

typedef struct sdw_pipeline_shape {
    int text_encoders;        /* 0..2 */
    int text_width[2];        /* hidden width of each encoder */
    int text_layers[2];
    int projection_width[2];  /* of text_projection; 0 = none */
    int context_width;        /* what the UNet's cross-attention reads */
    int latent_channels;      /* of the VAE: 4 */
    int unet_in_channels;     /* 4 or 9 */
    int sample_size;          /* latent side the model was trained at */
    int pooled_width;         /* of the UNet's added text embedding; 0 = none (SD 1, SD 2) */
    int time_ids;             /* 6 or 0 */
    double scaling_factor, shift_factor;
    int vae_factor;           /* 8 */
} sdw_pipeline_shape;
const sdw_pipeline_shape *sdw_pipeline_shape_of(const sdw_pipeline *p);

/* Runs text encoder `index` on rows x 77 token ids. Each output may be NULL:
 * hidden: (rows, 77, width), state of layer `layer` counted from the end (0 = last, 1 = last but one, ...);
 * final_norm: whether hidden passes through the final layer norm. pooled: (rows, width), last layer after the final
 * norm at row eos[r]. projected: (rows, projection_width) = pooled times text_projection. */
typedef struct sdw_text_request {
    int index, rows;
    const int32_t *ids;       /* rows * 77 */
    const int32_t *eos;       /* rows; position of the first EOS; NULL if neither pooled nor projected */
    int layer;
    bool final_norm;
    float *hidden, *pooled, *projected;
} sdw_text_request;
sdw_status sdw_pipeline_text(sdw_pipeline *p, const sdw_text_request *r, sdw_error *err);

/* What a job's UNet calls share: context keys and values of every layer, computed once. */
typedef struct sdw_condition sdw_condition;
typedef struct sdw_condition_request {
    int rows, tokens;         /* rows = lanes of every later call; tokens = 77 * chunks */
    const float *context;     /* (rows, tokens, context_width) */
    const float *pooled;      /* (rows, pooled_width) or NULL */
    const float *time_ids;    /* (rows, time_ids) or NULL */
} sdw_condition_request;
sdw_status sdw_condition_create(sdw_pipeline *p, const sdw_condition_request *r, sdw_condition **ret, sdw_error *err);
void sdw_condition_free(sdw_pipeline *p, sdw_condition *c); /* accepts NULL */

/* The rows of several conditions with equal token counts, one after another: what a model evaluation for pictures of
 * several jobs reads. *ret is a condition of its own, freed as such. */
sdw_status sdw_condition_join(sdw_pipeline *p, const sdw_condition *const *parts, int count, sdw_condition **ret, sdw_error *err);
int sdw_condition_rows(const sdw_condition *c);
int sdw_condition_tokens(const sdw_condition *c);
/* Differs for every condition that the pipeline ever made. */
uint64_t sdw_condition_serial(const sdw_condition *c);

/* One UNet evaluation: sample (rows, in_channels, h, w), timesteps (rows), out (rows, out_channels, h, w). */
sdw_status sdw_pipeline_unet(sdw_pipeline *p, const sdw_condition *c, int h, int w, const float *sample,
                             const float *timesteps, float *out, sdw_error *err);

/* latent (1, 4, h, w), unscaled -> picture (1, 3, 8h, 8w) around [-1, 1], unclamped. */
sdw_status sdw_pipeline_vae_decode(sdw_pipeline *p, int h, int w, const float *latent, float *picture, sdw_error *err);
/* picture (1, 3, 8h, 8w) in [-1, 1] -> moments (1, 8, h, w): means, then unclamped log variances. */
sdw_status sdw_pipeline_vae_encode(sdw_pipeline *p, int h, int w, const float *picture, float *moments, sdw_error *err);

/* The same in slices of about equal work, other runs may come between two of them: it keeps a pool of its own until end.
 * The result does not depend on how it was cut. decode: as vae_decode, else as vae_encode; `in` is copied. */
enum { SDW_VAE_SLICES = 32 };
typedef struct sdw_vae_run sdw_vae_run;
sdw_status sdw_vae_run_begin(sdw_pipeline *p, bool decode, int h, int w, const float *in, sdw_vae_run **ret, sdw_error *err);
/* Up to `slices` further ones; *ret_done after the last. After an error it can only be ended. */
sdw_status sdw_vae_run_go(sdw_vae_run *r, int slices, bool *ret_done, sdw_error *err);
void sdw_vae_run_read(const sdw_vae_run *r, float *out);
void sdw_vae_run_end(sdw_vae_run *r); /* accepts NULL */

/* Packs the weights of every part now. packed (may be NULL) hears of each weight, on one thread at a time; stops with
 * SDW_CANCELLED when the cancel flag is set. */
typedef void sdw_pipeline_packed(void *ctx, int done, int total);
sdw_status sdw_pipeline_load(sdw_pipeline *p, sdw_pipeline_packed *packed, void *ctx, sdw_error *err);
/* Bytes of packed weights and of pools, as held now. */
uint64_t sdw_pipeline_held(const sdw_pipeline *p);
uint64_t sdw_pipeline_pool_bytes(const sdw_pipeline *p); /* of them, the pool that the next run uses */
/* Gives the pool back; the next run takes a new one. */
void sdw_pipeline_drop_pool(sdw_pipeline *p);
/* Frees packed weights of a part; they are packed again when next needed. */
void sdw_pipeline_unload(sdw_pipeline *p, sdw_part_id part);

/* Host arithmetic: memory and work of each part for latents of h x w. Any thread, at any time between open and close. */
typedef struct sdw_pipeline_cost {
    uint64_t packed[SDW_PART_COUNT];
    uint64_t text_pool, unet_pool, condition_bytes, decode_pool, encode_pool;
    double text_flop, condition_flop, unet_flop, decode_flop, encode_flop; /* unet_flop: all rows together */
} sdw_pipeline_cost;
/* Bytes of the largest pool that a text encoding or a VAE run of this size may ask for. */
sdw_status sdw_pipeline_unit_bytes(sdw_pipeline *p, int rows, int tokens, int h, int w, uint64_t *ret, sdw_error *err);
sdw_status sdw_pipeline_estimate(sdw_pipeline *p, int rows, int tokens, int h, int w, sdw_pipeline_cost *ret, sdw_error *err);

#endif
