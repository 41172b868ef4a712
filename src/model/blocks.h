/* blocks.h - what UNet and VAE share: norm, resnet block, weights in pairs. */
#ifndef SDW_MODEL_BLOCKS_H
#define SDW_MODEL_BLOCKS_H

#include "model/binder.h"
#include "tensor/graph.h"

typedef struct sdw_affine { /* weight and bias of a linear map, a convolution or a norm */
    const sdw_weight *w, *b;
} sdw_affine;

/* Bind NAME.weight and NAME.bias. */
sdw_affine sdw_walk_linear(sdw_binder *b, const char *name, int out, int in);
sdw_affine sdw_walk_conv1x1(sdw_binder *b, const char *name, int out, int in); /* published as (out, in, 1, 1) */
sdw_affine sdw_walk_conv3x3(sdw_binder *b, const char *name, int out, int in);
sdw_affine sdw_walk_norm(sdw_binder *b, const char *name, int channels);

/* GN -> SiLU -> conv -> (+ time) -> GN -> SiLU -> conv -> + x, x through a 1x1 map when the widths differ. */
typedef struct sdw_resnet {
    int in, out, time_width; /* time_width 0: no time embedding */
    int groups;
    float eps;
    sdw_affine norm1, conv1, time, norm2, conv2, shortcut;
} sdw_resnet;

/* The prefix of the binder must stand at the block, such as "mid_block.resnets.0."; r's sizes are set before. */
void sdw_walk_resnet(sdw_binder *b, sdw_resnet *r);
/* time: (n,1,1,time_width), SiLU already applied, or NULL. */
sdw_tensor *sdw_record_resnet(sdw_graph *g, const sdw_resnet *r, const sdw_tensor *x, const sdw_tensor *time);

/* 3x3, stride 1, padding 1, with the input's pre-operation. */
sdw_tensor *sdw_record_conv(sdw_graph *g, const sdw_affine *c, const sdw_tensor *x, sdw_pre pre);
/* Coefficients of GN followed by SiLU (or nothing). */
sdw_pre sdw_record_norm(sdw_graph *g, const sdw_affine *norm, const sdw_tensor *x, int groups, float eps, sdw_act act);

#endif
