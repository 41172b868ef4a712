/* vae_record.c - topology of the autoencoder, with its large layers in bands.
 *
 * Details that cause bugs: every norm here has eps 1e-6; the downsampler pads right and bottom only; the attention has
 * one head over all channels.
 *
 * Memory. Blocks write over their input. Where a level of the decoder halves the channels, the level lives in the memory of its
 * widest picture (bands.h): the largest level of a decode of H x W pixels needs 256 channels of them, and a quarter of that for what
 * it is enlarged from. */
#include <math.h>

#include "model/bands.h"
#include "model/vae.h"

typedef struct recorder {
    sdw_graph *g;
    const sdw_vae_config *config;
    const sdw_bands *bands;
} recorder;

static sdw_tensor *record_attention(const recorder *r, const sdw_vae_mid *m, const sdw_tensor *x)
{
    int c = x->c;
    sdw_pre pre = sdw_record_norm(r->g, &m->norm, x, r->config->groups, sdw_vae_eps, SDW_ACT_NONE);
    sdw_tensor *qkv = sdw_linear(r->g, x, &(sdw_linear_args){ .weight = m->qkv.w, .bias = m->qkv.b, .pre = pre }, NULL);
    sdw_attention_args a = { .k = sdw_columns(r->g, qkv, c, c), .v = sdw_columns(r->g, qkv, 2 * c, c), .heads = 1, .scale = (float)(1.0 / sqrt((double)c)) };
    sdw_tensor *h = sdw_record_attention_bands(r->g, r->bands, sdw_columns(r->g, qkv, 0, c), &a);
    return sdw_linear(r->g, h, &(sdw_linear_args){ .weight = m->out.w, .bias = m->out.b, .residual = x }, NULL);
}

static sdw_tensor *record_mid(const recorder *r, const sdw_vae_mid *m, sdw_tensor *x)
{
    sdw_graph_name(r->g, "mid.res.0");
    x = sdw_record_resnet_bands(r->g, r->bands, &m->resnet[0], x, NULL, x);
    sdw_graph_name(r->g, "mid.attn");
    if (r->config->mid_attention) x = record_attention(r, m, x);
    sdw_graph_name(r->g, "mid.res.1");
    return sdw_record_resnet_bands(r->g, r->bands, &m->resnet[1], x, NULL, x);
}

/* GN, SiLU, 3x3 convolution: the end of both halves. */
static sdw_tensor *record_end(const recorder *r, const sdw_vae_half *half, const sdw_tensor *x, sdw_tensor *out)
{
    sdw_graph_name(r->g, "conv_out");
    sdw_conv2d_args a = { .weight = half->conv_out.w, .bias = half->conv_out.b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1,
                          .pre = sdw_record_norm(r->g, &half->norm_out, x, r->config->groups, sdw_vae_eps, SDW_ACT_SILU) };
    return sdw_record_conv_bands(r->g, r->bands, x, &a, out);
}

/* ---- decoder ---- */

/* Twice as large; `next` is the block that reads it. *slide is filled if that one slides. */
static sdw_tensor *record_upsample(const recorder *r, const sdw_affine *conv, const sdw_tensor *x, const sdw_resnet *next, sdw_slide *slide)
{
    int h = 2 * x->h, w = 2 * x->w, c = (int)conv->w->out;
    *slide = (sdw_slide){ 0 };
    if (sdw_slides(r->bands, next, h)) *slide = sdw_slide_create(r->g, r->bands, h, w, c);
    sdw_conv2d_args a = { .weight = conv->w, .bias = conv->b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .up_h = h, .up_w = w };
    a.sums = sdw_graph_sums(r->g, 1, h, w, c);
    return sdw_record_conv_bands(r->g, r->bands, x, &a, slide->input);
}

/* The blocks of one level. In a slide they use the column that the first one left free, and the last one of all but the last
 * level leaves it, so that a smaller tensor stays alive while the next level is made. */
static sdw_tensor *record_level(const recorder *r, int level, sdw_tensor *x, const sdw_slide *slide, bool last_level, const sdw_vae_stage *s)
{
    for (int j = 0; j < s->count; j++) {
        const sdw_resnet *block = &s->resnet[j];
        sdw_graph_name(r->g, "up.%d.res.%d", level, j);
        bool leaves = slide->left && j + 1 == s->count && !last_level;
        if (j == 0 && slide->left) x = sdw_record_sliding_resnet(r->g, r->bands, block, slide);
        else x = sdw_record_resnet_bands(r->g, r->bands, block, x, slide->left, leaves || block->in != block->out ? NULL : x);
    }
    return x;
}

void sdw_vae_record_decode(sdw_graph *g, const sdw_vae *v, const sdw_bands *bands, int h, int w, sdw_vae_io *ret_io)
{
    const sdw_vae_config *k = &v->config;
    const sdw_vae_half *d = &v->decoder;
    const recorder r = { g, k, bands };
    int factor = sdw_vae_factor(k), levels = k->level_count;
    sdw_slide slide = { 0 };
    sdw_vae_io io = { -1, -1 };
    sdw_graph_name(g, "conv_in");
    sdw_tensor *x = sdw_graph_bound(g, 1, h, w, k->latent_channels, &io.in);
    sdw_tensor *out = sdw_graph_bound(g, 1, h * factor, w * factor, 3, &io.out);
    if (k->post_quant) x = sdw_linear(g, x, &(sdw_linear_args){ .weight = d->quant.w, .bias = d->quant.b }, NULL);
    x = sdw_record_conv(g, &d->conv_in, x, (sdw_pre){ 0 });
    x = record_mid(&r, &d->mid, x);
    for (int i = 0; i < levels; i++) {
        const sdw_vae_stage *s = &d->stage[i];
        x = record_level(&r, i, x, &slide, i + 1 == levels, s);
        if (!s->resample.w) continue;
        sdw_graph_name(g, "up.%d.sample", i);
        x = record_upsample(&r, &s->resample, x, &d->stage[i + 1].resnet[0], &slide);
    }
    record_end(&r, d, x, out);
    *ret_io = io;
}

/* ---- encoder ---- */

void sdw_vae_record_encode(sdw_graph *g, const sdw_vae *v, const sdw_bands *bands, int h, int w, sdw_vae_io *ret_io)
{
    const sdw_vae_config *k = &v->config;
    const sdw_vae_half *e = &v->encoder;
    const recorder r = { g, k, bands };
    int factor = sdw_vae_factor(k);
    sdw_vae_io io = { -1, -1 };
    sdw_graph_name(g, "conv_in");
    sdw_tensor *x = sdw_graph_bound(g, 1, h * factor, w * factor, 3, &io.in);
    sdw_tensor *out = sdw_graph_bound(g, 1, h, w, 2 * k->latent_channels, &io.out);
    x = sdw_record_conv(g, &e->conv_in, x, (sdw_pre){ 0 });
    for (int i = 0; i < k->level_count; i++) {
        const sdw_vae_stage *s = &e->stage[i];
        for (int j = 0; j < s->count; j++) {
            const sdw_resnet *block = &s->resnet[j];
            sdw_graph_name(g, "down.%d.res.%d", i, j);
            x = sdw_record_resnet_bands(g, bands, block, x, NULL, block->in == block->out ? x : NULL);
        }
        if (!s->resample.w) continue;
        sdw_graph_name(g, "down.%d.sample", i);
        sdw_conv2d_args a = { .weight = s->resample.w, .bias = s->resample.b, .stride = 2, .pad_bottom = 1, .pad_right = 1 };
        x = sdw_conv2d(g, x, &a, NULL);
    }
    x = record_mid(&r, &e->mid, x);
    x = record_end(&r, e, x, k->quant ? NULL : out);
    if (k->quant) sdw_linear(g, x, &(sdw_linear_args){ .weight = e->quant.w, .bias = e->quant.b }, out);
    *ret_io = io;
}
