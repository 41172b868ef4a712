/* unet_config.c - a UNet's config.json: what we support, what each missing key means. */
#include <stdio.h>
#include <string.h>

#include "model/config_read.h"
#include "model/unet.h"

int sdw_unet_pooled_width(const sdw_unet_config *c)
{
    return c->added_time_width ? c->added_width - 6 * c->added_time_width : 0;
}

/* true for a block with attention, false for a plain one; anything else is refused. */
static bool has_attention(sdw_config_reader *r, const char *key, int index, const char *fallback, const char *with, const char *without)
{
    const char *type = sdw_config_text_at(r, key, index, fallback);
    if (strcmp(type, with) == 0) return true;
    if (strcmp(type, without) != 0 && r->error.status == SDW_OK)
        sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"%s\" has \"%s\", want %s or %s", r->what, key, type, with, without);
    return false;
}

static void parse_levels(sdw_config_reader *r, sdw_unet_config *c)
{
    static const int channels[] = { 320, 640, 1280, 1280 };
    int widths[SDW_UNET_LEVELS_MAX], heads[SDW_UNET_LEVELS_MAX], depth[SDW_UNET_LEVELS_MAX];
    int n = sdw_config_length(r, "block_out_channels", SDW_UNET_LEVELS_MAX);
    c->level_count = n > 0 ? n : 4;
    for (int i = 0; i < 4; i++) widths[i] = channels[i];
    if (n > 0) sdw_config_ints(r, "block_out_channels", 0, n, 1, 16384, widths);
    /* A historical misnomer: the key says head width and means head count; num_attention_heads wins if given. */
    const char *key = sdw_config_has(r, "num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
    sdw_config_ints(r, key, 8, c->level_count, 1, 512, heads);
    sdw_config_ints(r, "transformer_layers_per_block", 1, c->level_count, 1, 64, depth);
    for (int i = 0; i < c->level_count; i++) {
        bool last = i == c->level_count - 1;
        bool down = has_attention(r, "down_block_types", i, last ? "DownBlock2D" : "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D");
        bool up = has_attention(r, "up_block_types", c->level_count - 1 - i, last ? "UpBlock2D" : "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D");
        c->level[i] = (sdw_unet_level){ .channels = widths[i], .heads = heads[i], .depth = down ? depth[i] : 0, .up_depth = up ? depth[i] : 0 };
        if (r->error.status == SDW_OK && (down || up || last) && (widths[i] % heads[i] != 0 || widths[i] / heads[i] > 512))
            sdw_fail(&r->error, SDW_FORMAT, "%s: level %d: %d channels do not divide into %d heads of at most 512", r->what, i, widths[i], heads[i]);
    }
    c->mid_depth = depth[c->level_count - 1];
}

static void parse_added(sdw_config_reader *r, sdw_unet_config *c)
{
    if (!sdw_config_has(r, "addition_embed_type")) return;
    sdw_config_require_text(r, "addition_embed_type", "text_time");
    c->added_time_width = sdw_config_int(r, "addition_time_embed_dim", 256, 2, 4096);
    c->added_width = sdw_config_int(r, "projection_class_embeddings_input_dim", 2816, 1, 65536);
    if (r->error.status == SDW_OK && c->added_width <= 6 * c->added_time_width)
        sdw_fail(&r->error, SDW_FORMAT, "%s: \"projection_class_embeddings_input_dim\" %d leaves no room for pooled text beside 6 time ids of %d",
                 r->what, c->added_width, c->added_time_width);
}

/* What would change the topology and is not built; each named when a file asks for it. */
static void refuse_others(sdw_config_reader *r)
{
    static const char *const refused[] = { "class_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "only_cross_attention",
        "dual_cross_attention", "time_cond_proj_dim", "class_embeddings_concat", "num_class_embeds", "center_input_sample",
        "resnet_skip_time_act", "cross_attention_norm", "timestep_post_act", "mid_block_only_cross_attention",
        "reverse_transformer_layers_per_block" };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) sdw_config_refuse(r, refused[i]);
    sdw_config_require_text(r, "act_fn", "silu");
    sdw_config_require_text(r, "resnet_time_scale_shift", "default");
    sdw_config_require_text(r, "mid_block_type", "UNetMidBlock2DCrossAttn");
    sdw_config_require_text(r, "time_embedding_type", "positional");
    sdw_config_int(r, "conv_in_kernel", 3, 3, 3);
    sdw_config_int(r, "conv_out_kernel", 3, 3, 3);
    sdw_config_int(r, "downsample_padding", 1, 1, 1);
    sdw_config_int(r, "freq_shift", 0, 0, 0);
    if (!sdw_config_bool(r, "flip_sin_to_cos", true) && r->error.status == SDW_OK)
        sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"flip_sin_to_cos\" is false, only true is supported", r->what);
}

sdw_status sdw_unet_config_parse(yyjson_val *config, const char *what, sdw_unet_config *ret, sdw_error *err)
{
    sdw_config_reader r = { .root = config, .what = what };
    sdw_unet_config c = {
        .in_channels = sdw_config_int(&r, "in_channels", 4, 1, 64),
        .out_channels = sdw_config_int(&r, "out_channels", 4, 1, 64),
        .sample_size = sdw_config_int(&r, "sample_size", 64, 1, 4096),
        .resnets = sdw_config_int(&r, "layers_per_block", 2, 1, 16),
        .groups = sdw_config_int(&r, "norm_num_groups", 32, 1, 1024),
        .context_width = sdw_config_int(&r, "cross_attention_dim", 1280, 1, 16384),
        .eps = (float)sdw_config_real(&r, "norm_eps", 1e-5),
        .linear_projection = sdw_config_bool(&r, "use_linear_projection", false),
    };
    parse_levels(&r, &c);
    parse_added(&r, &c);
    refuse_others(&r);
    c.time_width = 4 * c.level[0].channels;
    for (int i = 0; i < c.level_count; i++)
        if (r.error.status == SDW_OK && c.level[i].channels % c.groups != 0)
            sdw_fail(&r.error, SDW_FORMAT, "%s: level %d: %d channels do not divide into %d norm groups", what, i, c.level[i].channels, c.groups);
    if (r.error.status == SDW_OK && c.level[0].channels % 2 != 0)
        sdw_fail(&r.error, SDW_FORMAT, "%s: \"block_out_channels\" begins with %d, want an even number", what, c.level[0].channels);
    if (sdw_config_finish(&r, err) == SDW_OK) *ret = c;
    return r.error.status;
}
