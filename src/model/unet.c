/* unet.c - walk and topology of the UNet.
 *
 * Details that cause bugs: the transformer's own norm has eps 1e-6, resnets have the config's 1e-5; GEGLU is value times
 * gelu(gate) with erf; every resnet, attention and downsampler output on the way down is a skip, conv_in's too; odd sizes are
 * upsampled to the size of the skip that follows; attention comes after each resnet. */
#include "model/unet.h"

#include <math.h>
#include <stdio.h>

static const float transformer_eps = 1e-6f;
static const float block_eps = 1e-5f; /* LayerNorm */

/* ---- weights ---- */

static void *array(sdw_binder *b, int count, size_t size)
{
    void *p = sdw_arena_array(b->arena, (size_t)count, size);
    if (!p && b->error.status == SDW_OK) sdw_fail(&b->error, SDW_NO_MEMORY, "%s: out of memory for %d blocks", b->part, count);
    return p;
}

static void walk_block(sdw_binder *b, sdw_unet *u, int channels, sdw_unet_block *k)
{
    static const char *const qkv[] = { "attn1.to_q.weight", "attn1.to_k.weight", "attn1.to_v.weight" };
    static const char *const kv[] = { "attn2.to_k.weight", "attn2.to_v.weight" };
    k->norm1 = sdw_walk_norm(b, "norm1", channels);
    k->qkv = sdw_bind_fused(b, qkv, 3, channels, channels, false);
    k->out1 = sdw_walk_linear(b, "attn1.to_out.0", channels, channels);
    k->norm2 = sdw_walk_norm(b, "norm2", channels);
    k->q = sdw_bind_matrix(b, "attn2.to_q.weight", channels, channels, false);
    int bears = b->narrowest;
    b->narrowest = 0; /* once a job, and every step builds on it */
    k->kv = sdw_bind_fused(b, kv, 2, channels, u->config.context_width, false);
    b->narrowest = bears;
    k->out2 = sdw_walk_linear(b, "attn2.to_out.0", channels, channels);
    k->norm3 = sdw_walk_norm(b, "norm3", channels);
    k->ff_in.w = sdw_bind_glu(b, "ff.net.0.proj.weight", 8 * channels, channels);
    k->ff_in.b = sdw_bind_vector(b, "ff.net.0.proj.bias", 8 * channels);
    k->ff_out = sdw_walk_linear(b, "ff.net.2", channels, 4 * channels);
    k->index = u->context_count++;
}

static void walk_transformer(sdw_binder *b, sdw_unet *u, const char *path, sdw_unet_transformer *t)
{
    bool conv = !u->config.linear_projection;
    t->block = array(b, t->depth, sizeof *t->block);
    if (!t->block) return;
    sdw_binder_enter(b, "%s.", path);
    t->norm = sdw_walk_norm(b, "norm", t->channels);
    b->skip = true;
    t->proj_in = conv ? sdw_walk_conv1x1(b, "proj_in", t->channels, t->channels) : sdw_walk_linear(b, "proj_in", t->channels, t->channels);
    t->proj_out = conv ? sdw_walk_conv1x1(b, "proj_out", t->channels, t->channels) : sdw_walk_linear(b, "proj_out", t->channels, t->channels);
    b->skip = false;
    for (int i = 0; i < t->depth; i++) {
        sdw_binder_enter(b, "%s.transformer_blocks.%d.", path, i);
        walk_block(b, u, t->channels, &t->block[i]);
    }
}

static sdw_resnet resnet_of(const sdw_unet *u, int in, int out)
{
    return (sdw_resnet){ .in = in, .out = out, .time_width = u->config.time_width, .groups = u->config.groups, .eps = u->config.eps };
}

/* One level: `in[j]` are the input widths of its resnets. */
static void walk_stage(sdw_binder *b, sdw_unet *u, const char *path, const int *in, int count, const sdw_unet_level *level, int depth,
                       sdw_unet_stage *s)
{
    char name[96];
    s->count = count;
    s->resnet = array(b, count, sizeof *s->resnet);
    s->attention = depth ? array(b, count, sizeof *s->attention) : NULL;
    if (!s->resnet || (depth && !s->attention)) return;
    for (int j = 0; j < count; j++) {
        s->resnet[j] = resnet_of(u, in[j], level->channels);
        sdw_binder_enter(b, "%s.resnets.%d.", path, j);
        sdw_walk_resnet(b, &s->resnet[j]);
        if (!depth) continue;
        s->attention[j] = (sdw_unet_transformer){ .channels = level->channels, .heads = level->heads, .depth = depth };
        snprintf(name, sizeof name, "%s.attentions.%d", path, j);
        walk_transformer(b, u, name, &s->attention[j]);
    }
}

enum { RESNETS_MAX = 17 };

static void walk_down(sdw_binder *b, sdw_unet *u)
{
    const sdw_unet_config *k = &u->config;
    char path[64];
    int in[RESNETS_MAX], previous = k->level[0].channels;
    for (int i = 0; i < k->level_count; i++) {
        int c = k->level[i].channels;
        for (int j = 0; j < k->resnets; j++) in[j] = j ? c : previous;
        snprintf(path, sizeof path, "down_blocks.%d", i);
        walk_stage(b, u, path, in, k->resnets, &k->level[i], k->level[i].depth, &u->down[i]);
        if (i + 1 < k->level_count) {
            sdw_binder_enter(b, "down_blocks.%d.", i);
            u->down[i].resample = sdw_walk_conv3x3(b, "downsamplers.0.conv", c, c);
        }
        previous = c;
    }
}

/* Width of skip number n (0 = conv_in's output), in the order they are pushed. */
static int skip_channels(const sdw_unet_config *k, int n)
{
    if (n == 0) return k->level[0].channels;
    int level = (n - 1) / (k->resnets + 1); /* each level but the last pushes its resnets and a downsampler */
    return k->level[level].channels;
}

static void walk_up(sdw_binder *b, sdw_unet *u)
{
    const sdw_unet_config *k = &u->config;
    char path[64];
    int in[RESNETS_MAX], skip = k->level_count * (k->resnets + 1) - 1, previous = k->level[k->level_count - 1].channels;
    for (int i = 0; i < k->level_count; i++) {
        const sdw_unet_level *level = &k->level[k->level_count - 1 - i];
        for (int j = 0; j < k->resnets + 1; j++) {
            in[j] = previous + skip_channels(k, skip--);
            previous = level->channels;
        }
        snprintf(path, sizeof path, "up_blocks.%d", i);
        walk_stage(b, u, path, in, k->resnets + 1, level, level->up_depth, &u->up[i]);
        if (i + 1 < k->level_count) {
            sdw_binder_enter(b, "up_blocks.%d.", i);
            u->up[i].resample = sdw_walk_conv3x3(b, "upsamplers.0.conv", level->channels, level->channels);
        }
    }
}

static void walk_mid(sdw_binder *b, sdw_unet *u)
{
    const sdw_unet_level *last = &u->config.level[u->config.level_count - 1];
    for (int i = 0; i < 2; i++) {
        u->mid_resnet[i] = resnet_of(u, last->channels, last->channels);
        sdw_binder_enter(b, "mid_block.resnets.%d.", i);
        sdw_walk_resnet(b, &u->mid_resnet[i]);
    }
    u->mid_attention = (sdw_unet_transformer){ .channels = last->channels, .heads = last->heads, .depth = u->config.mid_depth };
    walk_transformer(b, u, "mid_block.attentions.0", &u->mid_attention);
}

static void note_context(sdw_unet *u, const sdw_unet_transformer *t)
{
    for (int i = 0; t && t->block && i < t->depth; i++) u->context_channels[t->block[i].index] = t->channels;
}

static void list_contexts(sdw_binder *b, sdw_unet *u)
{
    u->context_channels = array(b, u->context_count ? u->context_count : 1, sizeof *u->context_channels);
    if (!u->context_channels) return;
    for (int i = 0; i < u->config.level_count; i++) {
        for (int j = 0; u->down[i].attention && j < u->down[i].count; j++) note_context(u, &u->down[i].attention[j]);
        for (int j = 0; u->up[i].attention && j < u->up[i].count; j++) note_context(u, &u->up[i].attention[j]);
    }
    note_context(u, &u->mid_attention);
}

void sdw_unet_walk(sdw_binder *b, const sdw_unet_config *config, sdw_unet *u)
{
    int first = config->level[0].channels;
    *u = (sdw_unet){ .config = *config };
    sdw_binder_enter(b, "%s", "");
    u->conv_in = sdw_walk_conv3x3(b, "conv_in", first, config->in_channels);
    u->time1 = sdw_walk_linear(b, "time_embedding.linear_1", config->time_width, first);
    u->time2 = sdw_walk_linear(b, "time_embedding.linear_2", config->time_width, config->time_width);
    if (config->added_width) {
        u->added1 = sdw_walk_linear(b, "add_embedding.linear_1", config->time_width, config->added_width);
        u->added2 = sdw_walk_linear(b, "add_embedding.linear_2", config->time_width, config->time_width);
    }
    b->narrowest = 8; /* the bulk; the ends and the time embedding stay in f32 */
    walk_down(b, u);
    walk_mid(b, u);
    walk_up(b, u);
    b->narrowest = 0;
    sdw_binder_enter(b, "%s", "");
    u->norm_out = sdw_walk_norm(b, "conv_norm_out", first);
    u->conv_out = sdw_walk_conv3x3(b, "conv_out", config->out_channels, first);
    if (b->error.status == SDW_OK) list_contexts(b, u);
}

/* ---- condition graph ---- */

static void record_kv(sdw_graph *g, const sdw_unet_transformer *t, const sdw_tensor *context, sdw_tensor *const *kv)
{
    for (int i = 0; i < t->depth; i++) {
        sdw_graph_name(g, "kv.%d", t->block[i].index);
        sdw_linear(g, context, &(sdw_linear_args){ .weight = t->block[i].kv }, kv[t->block[i].index]);
    }
}

static void record_added(sdw_graph *g, const sdw_unet *u, int rows, sdw_unet_condition_io *io)
{
    const sdw_unet_config *k = &u->config;
    int pooled = sdw_unet_pooled_width(k);
    sdw_graph_name(g, "add_embedding");
    sdw_tensor *out = sdw_graph_bound(g, rows, 1, 1, k->time_width, &io->added);
    sdw_tensor *text = sdw_graph_bound(g, rows, 1, 1, pooled, &io->pooled);
    sdw_tensor *ids = sdw_graph_bound(g, rows, 1, 1, 6, &io->time_ids);
    sdw_tensor *both = sdw_graph_tensor(g, rows, 1, 1, k->added_width);
    sdw_copy(g, text, sdw_columns(g, both, 0, pooled));
    sdw_time_embed(g, ids, k->added_time_width, sdw_columns(g, both, pooled, 6 * k->added_time_width));
    sdw_tensor *h = sdw_linear(g, both, &(sdw_linear_args){ .weight = u->added1.w, .bias = u->added1.b, .act = SDW_ACT_SILU }, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = u->added2.w, .bias = u->added2.b }, out);
}

/* Binds one tensor per cross-attention; returns the index of the first. */
static int bind_kv(sdw_graph *g, const sdw_unet *u, int rows, int tokens, sdw_tensor **kv)
{
    int first = -1;
    for (int i = 0; i < u->context_count; i++) {
        int bound = -1;
        kv[i] = sdw_graph_bound(g, rows, tokens, 1, 2 * u->context_channels[i], &bound);
        if (i == 0) first = bound;
    }
    return first;
}

static sdw_tensor **kv_array(sdw_graph *g, const sdw_unet *u)
{
    sdw_tensor **kv = sdw_arena_array(&g->arena, (size_t)u->context_count + 1, sizeof *kv);
    if (!kv && g->error.status == SDW_OK) sdw_fail(&g->error, SDW_NO_MEMORY, "graph: out of memory for %d contexts", u->context_count);
    return kv;
}

void sdw_unet_record_condition(sdw_graph *g, const sdw_unet *u, int rows, int tokens, sdw_unet_condition_io *ret_io)
{
    sdw_unet_condition_io io = { .context = -1, .pooled = -1, .time_ids = -1, .added = -1, .kv = -1 };
    sdw_tensor **kv = kv_array(g, u);
    if (!kv) return;
    sdw_tensor *context = sdw_graph_bound(g, rows, tokens, 1, u->config.context_width, &io.context);
    io.kv = bind_kv(g, u, rows, tokens, kv);
    for (int i = 0; i < u->config.level_count; i++) {
        for (int j = 0; u->down[i].attention && j < u->down[i].count; j++) record_kv(g, &u->down[i].attention[j], context, kv);
        for (int j = 0; u->up[i].attention && j < u->up[i].count; j++) record_kv(g, &u->up[i].attention[j], context, kv);
    }
    record_kv(g, &u->mid_attention, context, kv);
    if (u->config.added_width) record_added(g, u, rows, &io);
    *ret_io = io;
}

/* ---- step graph ---- */

typedef struct recorder {
    sdw_graph *g;
    const sdw_unet *u;
    const sdw_tensor *time;    /* silu(time embedding) */
    sdw_tensor **kv;
    sdw_tensor *skip[SDW_UNET_LEVELS_MAX * RESNETS_MAX + 1];
    int skips;
} recorder;

static sdw_tensor *norm(recorder *r, const sdw_affine *n, const sdw_tensor *x)
{
    return sdw_layer_norm(r->g, x, &(sdw_norm_args){ .gamma = n->w, .beta = n->b, .eps = block_eps }, NULL);
}

static void record_block(recorder *r, const sdw_unet_transformer *t, const sdw_unet_block *k, sdw_tensor *x)
{
    sdw_graph *g = r->g;
    int c = t->channels;
    float scale = (float)(1.0 / sqrt((double)c / t->heads));
    sdw_tensor *qkv = sdw_linear(g, norm(r, &k->norm1, x), &(sdw_linear_args){ .weight = k->qkv }, NULL);
    sdw_attention_args self = { .k = sdw_columns(g, qkv, c, c), .v = sdw_columns(g, qkv, 2 * c, c), .heads = t->heads, .scale = scale };
    sdw_tensor *h = sdw_attention(g, sdw_columns(g, qkv, 0, c), &self, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = k->out1.w, .bias = k->out1.b, .residual = x }, x);

    const sdw_tensor *kv = r->kv[k->index];
    sdw_tensor *q = sdw_linear(g, norm(r, &k->norm2, x), &(sdw_linear_args){ .weight = k->q }, NULL);
    sdw_attention_args cross = { .k = sdw_columns(g, kv, 0, c), .v = sdw_columns(g, kv, c, c), .heads = t->heads, .scale = scale };
    h = sdw_attention(g, q, &cross, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = k->out2.w, .bias = k->out2.b, .residual = x }, x);

    h = sdw_glu(g, norm(r, &k->norm3, x), &(sdw_glu_args){ .weight = k->ff_in.w, .bias = k->ff_in.b, .act = SDW_ACT_GELU }, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = k->ff_out.w, .bias = k->ff_out.b, .residual = x }, x);
}

static sdw_tensor *record_transformer(recorder *r, const sdw_unet_transformer *t, const sdw_tensor *x)
{
    sdw_pre pre = sdw_record_norm(r->g, &t->norm, x, r->u->config.groups, transformer_eps, SDW_ACT_NONE);
    sdw_tensor *h = sdw_linear(r->g, x, &(sdw_linear_args){ .weight = t->proj_in.w, .bias = t->proj_in.b, .pre = pre }, NULL);
    for (int i = 0; i < t->depth; i++) record_block(r, t, &t->block[i], h);
    return sdw_linear(r->g, h, &(sdw_linear_args){ .weight = t->proj_out.w, .bias = t->proj_out.b, .residual = x }, NULL);
}

static sdw_tensor *record_down(recorder *r, int level, sdw_tensor *x)
{
    const sdw_unet_stage *s = &r->u->down[level];
    for (int j = 0; j < s->count; j++) {
        sdw_graph_name(r->g, "down.%d.res.%d", level, j);
        x = sdw_record_resnet(r->g, &s->resnet[j], x, r->time);
        sdw_graph_name(r->g, "down.%d.attn.%d", level, j);
        if (s->attention) x = record_transformer(r, &s->attention[j], x);
        r->skip[r->skips++] = x;
    }
    if (!s->resample.w) return x;
    sdw_graph_name(r->g, "down.%d.sample", level);
    sdw_conv2d_args a = { .weight = s->resample.w, .bias = s->resample.b, .stride = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };
    x = sdw_conv2d(r->g, x, &a, NULL);
    r->skip[r->skips++] = x;
    return x;
}

/* [x | skip] along the channels. */
static sdw_tensor *concat(sdw_graph *g, const sdw_tensor *x, const sdw_tensor *skip)
{
    sdw_tensor *both = sdw_graph_tensor(g, x->n, x->h, x->w, x->c + skip->c);
    sdw_copy(g, x, sdw_columns(g, both, 0, x->c));
    sdw_copy(g, skip, sdw_columns(g, both, x->c, skip->c));
    return both;
}

static sdw_tensor *record_up(recorder *r, int index, sdw_tensor *x)
{
    const sdw_unet_stage *s = &r->u->up[index];
    for (int j = 0; j < s->count; j++) {
        sdw_graph_name(r->g, "up.%d.res.%d", index, j);
        x = sdw_record_resnet(r->g, &s->resnet[j], concat(r->g, x, r->skip[--r->skips]), r->time);
        sdw_graph_name(r->g, "up.%d.attn.%d", index, j);
        if (s->attention) x = record_transformer(r, &s->attention[j], x);
    }
    if (!s->resample.w) return x;
    sdw_graph_name(r->g, "up.%d.sample", index);
    const sdw_tensor *next = r->skip[r->skips - 1];
    sdw_conv2d_args a = { .weight = s->resample.w, .bias = s->resample.b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1,
                          .up_h = next->h, .up_w = next->w };
    return sdw_conv2d(r->g, x, &a, NULL);
}

static const sdw_tensor *record_time(recorder *r, int rows, sdw_unet_step_io *io)
{
    const sdw_unet *u = r->u;
    sdw_graph *g = r->g;
    sdw_graph_name(g, "time");
    sdw_tensor *t = sdw_graph_bound(g, rows, 1, 1, 1, &io->timestep);
    sdw_tensor *h = sdw_time_embed(g, t, u->config.level[0].channels, NULL);
    h = sdw_linear(g, h, &(sdw_linear_args){ .weight = u->time1.w, .bias = u->time1.b, .act = SDW_ACT_SILU }, NULL);
    const sdw_tensor *added = u->config.added_width ? sdw_graph_bound(g, rows, 1, 1, u->config.time_width, &io->added) : NULL;
    h = sdw_linear(g, h, &(sdw_linear_args){ .weight = u->time2.w, .bias = u->time2.b, .residual = added }, NULL);
    return sdw_activate(g, h, SDW_ACT_SILU, h);
}

void sdw_unet_record_step(sdw_graph *g, const sdw_unet *u, int rows, int tokens, int h, int w, sdw_unet_step_io *ret_io)
{
    const sdw_unet_config *k = &u->config;
    sdw_unet_step_io io = { .sample = -1, .timestep = -1, .out = -1, .added = -1, .kv = -1 };
    recorder r = { .g = g, .u = u, .kv = kv_array(g, u) };
    if (!r.kv) return;
    sdw_tensor *sample = sdw_graph_bound(g, rows, h, w, k->in_channels, &io.sample);
    sdw_tensor *out = sdw_graph_bound(g, rows, h, w, k->out_channels, &io.out);
    io.kv = bind_kv(g, u, rows, tokens, r.kv);
    r.time = record_time(&r, rows, &io);

    sdw_graph_name(g, "conv_in");
    sdw_tensor *x = sdw_record_conv(g, &u->conv_in, sample, (sdw_pre){ 0 });
    r.skip[r.skips++] = x;
    for (int i = 0; i < k->level_count; i++) x = record_down(&r, i, x);
    sdw_graph_name(g, "mid.res.0");
    x = sdw_record_resnet(g, &u->mid_resnet[0], x, r.time);
    sdw_graph_name(g, "mid.attn");
    x = record_transformer(&r, &u->mid_attention, x);
    sdw_graph_name(g, "mid.res.1");
    x = sdw_record_resnet(g, &u->mid_resnet[1], x, r.time);
    for (int i = 0; i < k->level_count; i++) x = record_up(&r, i, x);

    sdw_graph_name(g, "conv_out");
    sdw_conv2d_args a = { .weight = u->conv_out.w, .bias = u->conv_out.b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1,
                          .pre = sdw_record_norm(g, &u->norm_out, x, k->groups, k->eps, SDW_ACT_SILU) };
    sdw_conv2d(g, x, &a, out);
    *ret_io = io;
}
