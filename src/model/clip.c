/* clip.c - walk and topology of the CLIP text transformer. */
#include "model/clip.h"

#include <math.h>
#include <string.h>

#include "model/config_read.h"

static sdw_act parse_act(sdw_config_reader *r)
{
    const char *name = sdw_config_text(r, "hidden_act", "quick_gelu");
    if (strcmp(name, "quick_gelu") == 0) return SDW_ACT_QUICK_GELU;
    if (strcmp(name, "gelu") == 0) return SDW_ACT_GELU;
    if (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0) return SDW_ACT_GELU_TANH;
    if (r->error.status == SDW_OK)
        sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"hidden_act\" is \"%s\", want quick_gelu, gelu or gelu_new", r->what, name);
    return SDW_ACT_NONE;
}

/* Only CLIPTextModelWithProjection uses its text_projection; CLIPTextModel's projection_dim means nothing. */
static bool has_projection(yyjson_val *config)
{
    yyjson_val *list = yyjson_obj_get(config, "architectures");
    const char *name = yyjson_get_str(yyjson_arr_get_first(list));
    return name && strcmp(name, "CLIPTextModelWithProjection") == 0;
}

sdw_status sdw_clip_config_parse(yyjson_val *config, const char *what, sdw_clip_config *ret, sdw_error *err)
{
    sdw_config_reader r = { .root = config, .what = what };
    sdw_clip_config c = {
        .vocabulary = sdw_config_int(&r, "vocab_size", 49408, 2, 1 << 20),
        .positions = sdw_config_int(&r, "max_position_embeddings", 77, 77, 4096),
        .width = sdw_config_int(&r, "hidden_size", 512, 1, 16384),
        .mlp_width = sdw_config_int(&r, "intermediate_size", 2048, 1, 65536),
        .heads = sdw_config_int(&r, "num_attention_heads", 8, 1, 512),
        .layers = sdw_config_int(&r, "num_hidden_layers", 12, 1, 256),
        .eps = (float)sdw_config_real(&r, "layer_norm_eps", 1e-5),
        .act = parse_act(&r),
    };
    if (has_projection(config)) c.projection = sdw_config_int(&r, "projection_dim", 512, 1, 16384);
    if (r.error.status == SDW_OK && (c.width % c.heads != 0 || c.width / c.heads > 512))
        sdw_fail(&r.error, SDW_FORMAT, "%s: \"hidden_size\" %d is no multiple of \"num_attention_heads\" %d with heads up to 512 wide",
                 what, c.width, c.heads);
    if (sdw_config_finish(&r, err) == SDW_OK) *ret = c;
    return r.error.status;
}

static void walk_layer(sdw_binder *b, const sdw_clip_config *k, sdw_clip_layer *l)
{
    static const char *const qkv_w[] = { "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight" };
    static const char *const qkv_b[] = { "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias" };
    l->norm1 = sdw_walk_norm(b, "layer_norm1", k->width);
    l->qkv.w = sdw_bind_fused(b, qkv_w, 3, k->width, k->width, false);
    l->qkv.b = sdw_bind_fused_vector(b, qkv_b, 3, k->width);
    l->out = sdw_walk_linear(b, "self_attn.out_proj", k->width, k->width);
    l->norm2 = sdw_walk_norm(b, "layer_norm2", k->width);
    l->fc1 = sdw_walk_linear(b, "mlp.fc1", k->mlp_width, k->width);
    l->fc2 = sdw_walk_linear(b, "mlp.fc2", k->width, k->mlp_width);
}

void sdw_clip_walk(sdw_binder *b, const sdw_clip_config *config, sdw_clip *c)
{
    *c = (sdw_clip){ .config = *config };
    c->layer = sdw_arena_array(b->arena, (size_t)config->layers, sizeof *c->layer);
    if (!c->layer) {
        if (b->error.status == SDW_OK) sdw_fail(&b->error, SDW_NO_MEMORY, "%s: out of memory for %d layers", b->part, config->layers);
        return;
    }
    sdw_binder_enter(b, "%s", "");
    c->tokens = sdw_bind_table(b, "embeddings.token_embedding.weight", config->vocabulary, config->width);
    c->positions = sdw_bind_table(b, "embeddings.position_embedding.weight", config->positions, config->width);
    for (int i = 0; i < config->layers; i++) {
        sdw_binder_enter(b, "encoder.layers.%d.", i);
        walk_layer(b, config, &c->layer[i]);
    }
    sdw_binder_enter(b, "%s", "");
    c->final_norm = sdw_walk_norm(b, "final_layer_norm", config->width);
    if (config->projection) c->projection = sdw_bind_matrix(b, "text_projection.weight", config->projection, config->width, false);
}

static sdw_tensor *layer_norm(sdw_graph *g, const sdw_clip *c, const sdw_affine *norm, const sdw_tensor *x, sdw_tensor *out)
{
    return sdw_layer_norm(g, x, &(sdw_norm_args){ .gamma = norm->w, .beta = norm->b, .eps = c->config.eps }, out);
}

static void record_layer(sdw_graph *g, const sdw_clip *c, const sdw_clip_layer *l, sdw_tensor *x)
{
    int width = c->config.width, heads = c->config.heads;
    sdw_tensor *h = layer_norm(g, c, &l->norm1, x, NULL);
    sdw_tensor *qkv = sdw_linear(g, h, &(sdw_linear_args){ .weight = l->qkv.w, .bias = l->qkv.b }, NULL);
    sdw_attention_args a = { .k = sdw_columns(g, qkv, width, width), .v = sdw_columns(g, qkv, 2 * width, width), .heads = heads,
                             .scale = (float)(1.0 / sqrt((double)width / heads)), .causal = true };
    h = sdw_attention(g, sdw_columns(g, qkv, 0, width), &a, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = l->out.w, .bias = l->out.b, .residual = x }, x);
    h = layer_norm(g, c, &l->norm2, x, NULL);
    h = sdw_linear(g, h, &(sdw_linear_args){ .weight = l->fc1.w, .bias = l->fc1.b, .act = c->config.act }, NULL);
    sdw_linear(g, h, &(sdw_linear_args){ .weight = l->fc2.w, .bias = l->fc2.b, .residual = x }, x);
}

static void record_hidden(sdw_graph *g, const sdw_clip *c, const sdw_clip_wants *wants, const sdw_tensor *x, sdw_tensor *out)
{
    sdw_graph_name(g, "hidden");
    if (wants->final_norm) layer_norm(g, c, &c->final_norm, x, out);
    else sdw_copy(g, x, out);
}

void sdw_clip_record(sdw_graph *g, const sdw_clip *c, const sdw_clip_wants *wants, sdw_clip_io *ret_io)
{
    const sdw_clip_config *k = &c->config;
    int rows = wants->rows, tokens = wants->tokens;
    bool pool = wants->pooled || wants->projected;
    sdw_clip_io io = { .ids = -1, .eos = -1, .hidden = -1, .pooled = -1, .projected = -1 };
    sdw_graph_name(g, "embed");
    sdw_tensor *ids = sdw_graph_bound(g, rows, tokens, 1, 1, &io.ids);
    sdw_tensor *hidden = wants->hidden ? sdw_graph_bound(g, rows, tokens, 1, k->width, &io.hidden) : NULL;
    sdw_tensor *eos = pool ? sdw_graph_bound(g, rows, 1, 1, 1, &io.eos) : NULL;
    sdw_tensor *pooled = wants->pooled ? sdw_graph_bound(g, rows, 1, 1, k->width, &io.pooled) : NULL;
    sdw_tensor *projected = wants->projected ? sdw_graph_bound(g, rows, 1, 1, k->projection, &io.projected) : NULL;

    sdw_tensor *x = sdw_embed(g, ids, &(sdw_embed_args){ .table = c->tokens, .positions = c->positions }, NULL);
    int stop = pool ? k->layers : k->layers - wants->layer;
    for (int i = 0; i < stop; i++) {
        if (hidden && i == k->layers - wants->layer) record_hidden(g, c, wants, x, hidden);
        sdw_graph_name(g, "layers.%d", i);
        record_layer(g, c, &c->layer[i], x);
    }
    if (hidden && stop == k->layers - wants->layer) record_hidden(g, c, wants, x, hidden);
    if (pool) {
        sdw_graph_name(g, "pool");
        sdw_tensor *row = sdw_gather_rows(g, x, eos, NULL);
        row = layer_norm(g, c, &c->final_norm, row, pooled);
        if (projected) sdw_linear(g, row, &(sdw_linear_args){ .weight = c->projection }, projected);
    }
    *ret_io = io;
}
