/* vae.c - configuration and walk of the autoencoder. quant and post_quant are 1x1 maps that some families lack. */
#include "model/vae.h"

#include <stdio.h>
#include <string.h>

#include "model/config_read.h"

static void require_blocks(sdw_config_reader *r, const char *key, const char *only)
{
    int n = sdw_config_length(r, key, SDW_VAE_LEVELS_MAX);
    for (int i = 0; i < n; i++) {
        const char *type = sdw_config_text_at(r, key, i, only);
        if (strcmp(type, only) != 0 && r->error.status == SDW_OK)
            sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"%s\" has \"%s\", only %s is supported", r->what, key, type, only);
    }
}

sdw_status sdw_vae_config_parse(yyjson_val *config, const char *what, sdw_vae_config *ret, sdw_error *err)
{
    static const int published[] = { 128, 256, 512, 512 };
    sdw_config_reader r = { .root = config, .what = what };
    sdw_vae_config c = {
        .resnets = sdw_config_int(&r, "layers_per_block", 2, 1, 16),
        .latent_channels = sdw_config_int(&r, "latent_channels", 4, 1, 64),
        .groups = sdw_config_int(&r, "norm_num_groups", 32, 1, 1024),
        .quant = sdw_config_bool(&r, "use_quant_conv", true),
        .post_quant = sdw_config_bool(&r, "use_post_quant_conv", true),
        .mid_attention = sdw_config_bool(&r, "mid_block_add_attention", true),
        .scaling_factor = sdw_config_real(&r, "scaling_factor", 0.18215),
        .shift_factor = sdw_config_real(&r, "shift_factor", 0.0),
    };
    int n = sdw_config_length(&r, "block_out_channels", SDW_VAE_LEVELS_MAX);
    c.level_count = n > 0 ? n : 4;
    memcpy(c.channels, published, sizeof published);
    if (n > 0) sdw_config_ints(&r, "block_out_channels", 0, n, 1, 4096, c.channels);
    sdw_config_int(&r, "in_channels", 3, 3, 3);
    sdw_config_int(&r, "out_channels", 3, 3, 3);
    sdw_config_require_text(&r, "act_fn", "silu");
    require_blocks(&r, "down_block_types", "DownEncoderBlock2D");
    require_blocks(&r, "up_block_types", "UpDecoderBlock2D");
    for (int i = 0; i < c.level_count && r.error.status == SDW_OK; i++)
        if (c.channels[i] % c.groups != 0)
            sdw_fail(&r.error, SDW_FORMAT, "%s: level %d: %d channels do not divide into %d norm groups", what, i, c.channels[i], c.groups);
    if (r.error.status == SDW_OK && c.mid_attention && c.channels[c.level_count - 1] > 512)
        sdw_fail(&r.error, SDW_UNSUPPORTED, "%s: attention over %d channels, want at most 512", what, c.channels[c.level_count - 1]);
    if (r.error.status == SDW_OK && !(c.scaling_factor > 0))
        sdw_fail(&r.error, SDW_FORMAT, "%s: \"scaling_factor\" is %g, want a number above 0", what, c.scaling_factor);
    if (sdw_config_finish(&r, err) == SDW_OK) *ret = c;
    return r.error.status;
}

int sdw_vae_factor(const sdw_vae_config *c)
{
    return 1 << (c->level_count - 1);
}

/* ---- weights ---- */

static sdw_resnet resnet_of(const sdw_vae_config *k, int in, int out)
{
    return (sdw_resnet){ .in = in, .out = out, .groups = k->groups, .eps = sdw_vae_eps };
}

static void walk_mid(sdw_binder *b, const sdw_vae_config *k, const char *half, sdw_vae_mid *m)
{
    static const char *const qkv_w[] = { "to_q.weight", "to_k.weight", "to_v.weight" };
    static const char *const qkv_b[] = { "to_q.bias", "to_k.bias", "to_v.bias" };
    int c = k->channels[k->level_count - 1];
    for (int i = 0; i < 2; i++) {
        m->resnet[i] = resnet_of(k, c, c);
        sdw_binder_enter(b, "%s.mid_block.resnets.%d.", half, i);
        sdw_walk_resnet(b, &m->resnet[i]);
    }
    if (!k->mid_attention) return;
    sdw_binder_enter(b, "%s.mid_block.attentions.0.", half);
    m->norm = sdw_walk_norm(b, "group_norm", c);
    m->qkv.w = sdw_bind_fused(b, qkv_w, 3, c, c, false);
    m->qkv.b = sdw_bind_fused_vector(b, qkv_b, 3, c);
    m->out = sdw_walk_linear(b, "to_out.0", c, c);
}

static void walk_stage(sdw_binder *b, const sdw_vae_config *k, const char *path, int in, int out, int count, const char *resample,
                       sdw_vae_stage *s)
{
    s->count = count;
    s->resnet = sdw_arena_array(b->arena, (size_t)count, sizeof *s->resnet);
    if (!s->resnet) {
        if (b->error.status == SDW_OK) sdw_fail(&b->error, SDW_NO_MEMORY, "%s: out of memory for %d blocks", b->part, count);
        return;
    }
    for (int j = 0; j < count; j++) {
        s->resnet[j] = resnet_of(k, j ? out : in, out);
        sdw_binder_enter(b, "%s.resnets.%d.", path, j);
        sdw_walk_resnet(b, &s->resnet[j]);
    }
    sdw_binder_enter(b, "%s.", path);
    if (resample) s->resample = sdw_walk_conv3x3(b, resample, out, out);
}

static void walk_encoder(sdw_binder *b, sdw_vae *v)
{
    const sdw_vae_config *k = &v->config;
    sdw_vae_half *e = &v->encoder;
    int n = k->level_count, last = k->channels[n - 1];
    char path[64];
    sdw_binder_enter(b, "encoder.");
    e->conv_in = sdw_walk_conv3x3(b, "conv_in", k->channels[0], 3);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "encoder.down_blocks.%d", i);
        walk_stage(b, k, path, k->channels[i ? i - 1 : 0], k->channels[i], k->resnets, i + 1 < n ? "downsamplers.0.conv" : NULL, &e->stage[i]);
    }
    walk_mid(b, k, "encoder", &e->mid);
    sdw_binder_enter(b, "encoder.");
    e->norm_out = sdw_walk_norm(b, "conv_norm_out", last);
    e->conv_out = sdw_walk_conv3x3(b, "conv_out", 2 * k->latent_channels, last);
    sdw_binder_enter(b, "%s", "");
    if (k->quant) e->quant = sdw_walk_conv1x1(b, "quant_conv", 2 * k->latent_channels, 2 * k->latent_channels);
}

static void walk_decoder(sdw_binder *b, sdw_vae *v)
{
    const sdw_vae_config *k = &v->config;
    sdw_vae_half *d = &v->decoder;
    int n = k->level_count, last = k->channels[n - 1];
    char path[64];
    sdw_binder_enter(b, "%s", "");
    if (k->post_quant) d->quant = sdw_walk_conv1x1(b, "post_quant_conv", k->latent_channels, k->latent_channels);
    sdw_binder_enter(b, "decoder.");
    d->conv_in = sdw_walk_conv3x3(b, "conv_in", last, k->latent_channels);
    walk_mid(b, k, "decoder", &d->mid);
    for (int i = 0; i < n; i++) {
        int out = k->channels[n - 1 - i], in = i ? k->channels[n - i] : last;
        snprintf(path, sizeof path, "decoder.up_blocks.%d", i);
        walk_stage(b, k, path, in, out, k->resnets + 1, i + 1 < n ? "upsamplers.0.conv" : NULL, &d->stage[i]);
    }
    sdw_binder_enter(b, "decoder.");
    d->norm_out = sdw_walk_norm(b, "conv_norm_out", k->channels[0]);
    d->conv_out = sdw_walk_conv3x3(b, "conv_out", 3, k->channels[0]);
}

void sdw_vae_walk(sdw_binder *b, const sdw_vae_config *config, sdw_vae *v)
{
    *v = (sdw_vae){ .config = *config };
    walk_encoder(b, v);
    walk_decoder(b, v);
}
