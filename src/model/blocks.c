/* blocks.c - binding and recording of the blocks that UNet and VAE share. */
#include "model/blocks.h"

#include <stdio.h>

static sdw_affine bias_of(sdw_binder *b, const char *name, int n, const sdw_weight *w)
{
    char bias[96];
    snprintf(bias, sizeof bias, "%s.bias", name);
    return (sdw_affine){ .w = w, .b = sdw_bind_vector(b, bias, n) };
}

sdw_affine sdw_walk_linear(sdw_binder *b, const char *name, int out, int in)
{
    char weight[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return bias_of(b, name, out, sdw_bind_matrix(b, weight, out, in, false));
}

sdw_affine sdw_walk_conv1x1(sdw_binder *b, const char *name, int out, int in)
{
    char weight[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return bias_of(b, name, out, sdw_bind_matrix(b, weight, out, in, true));
}

sdw_affine sdw_walk_conv3x3(sdw_binder *b, const char *name, int out, int in)
{
    char weight[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return bias_of(b, name, out, sdw_bind_conv(b, weight, out, in, 3));
}

sdw_affine sdw_walk_norm(sdw_binder *b, const char *name, int channels)
{
    char weight[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return bias_of(b, name, channels, sdw_bind_vector(b, weight, channels));
}

void sdw_walk_resnet(sdw_binder *b, sdw_resnet *r)
{
    r->norm1 = sdw_walk_norm(b, "norm1", r->in);
    r->conv1 = sdw_walk_conv3x3(b, "conv1", r->out, r->in);
    int bears = b->narrowest;
    b->narrowest = 0; /* one row a step: nothing to gain */
    if (r->time_width) r->time = sdw_walk_linear(b, "time_emb_proj", r->out, r->time_width);
    b->narrowest = bears;
    r->norm2 = sdw_walk_norm(b, "norm2", r->out);
    r->conv2 = sdw_walk_conv3x3(b, "conv2", r->out, r->out);
    b->skip = true;
    if (r->in != r->out) r->shortcut = sdw_walk_conv1x1(b, "conv_shortcut", r->out, r->in);
    b->skip = false;
}

sdw_pre sdw_record_norm(sdw_graph *g, const sdw_affine *norm, const sdw_tensor *x, int groups, float eps, sdw_act act)
{
    sdw_norm_args a = { .gamma = norm->w, .beta = norm->b, .groups = groups, .eps = eps };
    return (sdw_pre){ .coeffs = sdw_group_norm(g, x, &a), .act = act };
}

sdw_tensor *sdw_record_conv(sdw_graph *g, const sdw_affine *c, const sdw_tensor *x, sdw_pre pre)
{
    sdw_conv2d_args a = { .weight = c->w, .bias = c->b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .pre = pre };
    return sdw_conv2d(g, x, &a, NULL);
}

sdw_tensor *sdw_record_resnet(sdw_graph *g, const sdw_resnet *r, const sdw_tensor *x, const sdw_tensor *time)
{
    sdw_conv2d_args a = { .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };
    if (time) a.lane_add = sdw_linear(g, time, &(sdw_linear_args){ .weight = r->time.w, .bias = r->time.b }, NULL);
    a.weight = r->conv1.w;
    a.bias = r->conv1.b;
    a.pre = sdw_record_norm(g, &r->norm1, x, r->groups, r->eps, SDW_ACT_SILU);
    sdw_tensor *h = sdw_conv2d(g, x, &a, NULL);

    sdw_tensor *skip = NULL;
    if (r->in != r->out) skip = sdw_linear(g, x, &(sdw_linear_args){ .weight = r->shortcut.w, .bias = r->shortcut.b }, NULL);
    a.lane_add = NULL;
    a.weight = r->conv2.w;
    a.bias = r->conv2.b;
    a.residual = skip ? skip : x;
    a.pre = sdw_record_norm(g, &r->norm2, h, r->groups, r->eps, SDW_ACT_SILU);
    return sdw_conv2d(g, h, &a, skip); /* with a mapped skip the sum is written over it */
}
