/* unet.h - the conditioned UNet of Stable Diffusion 1, 2 and XL (Ronneberger et al. 2015; Rombach et al. 2022), in the
 * layout of diffusers' UNet2DConditionModel. What differs between versions is configuration.
 *
 * Two graphs. The condition graph runs once per job: keys and values of every cross-attention and the added
 * embedding of XL depend on the prompt alone. The step graph runs once per denoising step and reads them. */
#ifndef SDW_MODEL_UNET_H
#define SDW_MODEL_UNET_H

#include "core/json.h"
#include "model/blocks.h"

#define SDW_UNET_LEVELS_MAX 8

typedef struct sdw_unet_level {
    int channels;
    int heads;             /* of its attention */
    int depth;             /* transformer blocks per attention module; 0 = no attention here */
    int up_depth;          /* the same on the way up */
} sdw_unet_level;

typedef struct sdw_unet_config {
    int in_channels, out_channels, sample_size;
    int level_count, resnets;      /* resnets per level on the way down; one more on the way up */
    sdw_unet_level level[SDW_UNET_LEVELS_MAX];
    int mid_depth;                 /* transformer blocks of the middle */
    int groups, context_width;
    float eps;                     /* of resnets and the last norm; transformers use 1e-6 */
    bool linear_projection;        /* proj_in/proj_out published as matrices, not 1x1 convolutions */
    int time_width;                /* of the time embedding: 4 * first channels */
    int added_time_width;          /* XL: sinusoid width of each time id (256); 0 = no added embedding */
    int added_width;               /* XL: pooled text + 6 sinusoids (2816) */
} sdw_unet_config;

sdw_status sdw_unet_config_parse(yyjson_val *config, const char *what, sdw_unet_config *ret, sdw_error *err);
/* Width of the pooled text vector: added_width less six sinusoids; 0 without added embedding. */
int sdw_unet_pooled_width(const sdw_unet_config *c);

typedef struct sdw_unet_block { /* LN, self-attention, LN, cross-attention, LN, GEGLU */
    sdw_affine norm1, norm2, norm3, out1, out2, ff_in, ff_out;
    const sdw_weight *qkv, *q, *kv;
    int index;                  /* of its keys and values among all cross-attentions */
} sdw_unet_block;

typedef struct sdw_unet_transformer {
    int channels, heads, depth;
    sdw_affine norm, proj_in, proj_out;
    sdw_unet_block *block;      /* arena; depth of them */
} sdw_unet_transformer;

typedef struct sdw_unet_stage { /* one level of the way down or up */
    sdw_resnet *resnet;
    sdw_unet_transformer *attention; /* one per resnet, or NULL */
    int count;
    sdw_affine resample;        /* convolution of the down- or upsampler; w NULL = none */
} sdw_unet_stage;

typedef struct sdw_unet {
    sdw_unet_config config;
    sdw_affine conv_in, time1, time2, added1, added2, norm_out, conv_out;
    sdw_unet_stage down[SDW_UNET_LEVELS_MAX], up[SDW_UNET_LEVELS_MAX];
    sdw_resnet mid_resnet[2];
    sdw_unet_transformer mid_attention;
    int context_count;          /* cross-attentions in all */
    int *context_channels;      /* arena: channels of each; its keys and values are 2 * that wide */
} sdw_unet;

void sdw_unet_walk(sdw_binder *b, const sdw_unet_config *config, sdw_unet *u);

/* Bound tensors of both graphs. kv: first of context_count consecutive ones, (rows, tokens, 1, 2*channels): keys, then
 * values. added: (rows,1,1,time_width). */
typedef struct sdw_unet_condition_io { int context, pooled, time_ids, added, kv; } sdw_unet_condition_io;
typedef struct sdw_unet_step_io { int sample, timestep, out, added, kv; } sdw_unet_step_io;

/* context: (rows, tokens, 1, context_width); pooled: (rows,1,1,pooled width); time_ids: (rows,1,1,6). */
void sdw_unet_record_condition(sdw_graph *g, const sdw_unet *u, int rows, int tokens, sdw_unet_condition_io *ret_io);
/* sample (rows,h,w,in), timestep (rows,1,1,1), out (rows,h,w,out). */
void sdw_unet_record_step(sdw_graph *g, const sdw_unet *u, int rows, int tokens, int h, int w, sdw_unet_step_io *ret_io);

#endif
