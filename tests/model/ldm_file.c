/* ldm_file.c - see ldm_file.h. */
#include "model/ldm_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "model/walk.h"

typedef struct maker {
    const ldm_options *options;
    sdw_buf header;
    uint64_t bytes;
    bool xl, openclip;  /* of the part being listed */
    const char *prefix; /* of the part being listed */
} maker;

static void add(maker *m, const char *name, int rank, const int64_t *shape)
{
    uint64_t n = 2; /* F16 */
    if (m->options->drop && strcmp(name, m->options->drop) == 0) return;
    sdw_buf_printf(&m->header, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[", m->header.size > 1 ? "," : "", name);
    for (int i = 0; i < rank; i++) {
        sdw_buf_printf(&m->header, "%s%lld", i ? "," : "", (long long)shape[i]);
        n *= (uint64_t)shape[i];
    }
    sdw_buf_printf(&m->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)m->bytes, (unsigned long long)(m->bytes + n));
    m->bytes += n;
}

/* Replaces the first `from` in text. */
static void replace(char *text, size_t size, const char *from, const char *to)
{
    char rest[256];
    char *at = strstr(text, from);
    if (!at) return;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, size - (size_t)(at - text), "%s%s", to, rest);
}

static void rename_all(char *text, size_t size, const char *const (*pairs)[2], int count)
{
    for (int i = 0; i < count; i++) replace(text, size, pairs[i][0], pairs[i][1]);
}

static void resnet_names(char *rest, size_t size)
{
    static const char *const pairs[][2] = {
        { "norm1.", "in_layers.0." },       { "conv1.", "in_layers.2." },  { "time_emb_proj.", "emb_layers.1." },
        { "norm2.", "out_layers.0." },      { "conv2.", "out_layers.3." }, { "conv_shortcut.", "skip_connection." },
    };
    rename_all(rest, size, pairs, 6);
}

static void unet_item(void *ctx, const char *name, int rank, const int64_t *shape)
{
    static const char *const top[][2] = {
        { "conv_in.", "input_blocks.0.0." },           { "conv_norm_out.", "out.0." },
        { "conv_out.", "out.2." },                     { "time_embedding.linear_1.", "time_embed.0." },
        { "time_embedding.linear_2.", "time_embed.2." }, { "add_embedding.linear_1.", "label_emb.0.0." },
        { "add_embedding.linear_2.", "label_emb.0.2." },
    };
    maker *m = ctx;
    char out[256], rest[200] = "";
    int i, j, n = 0;
    int64_t dims[4] = { 0 };
    memcpy(dims, shape, (size_t)rank * sizeof *shape);
    if (sscanf(name, "down_blocks.%d.resnets.%d.%n", &i, &j, &n) == 2 && n) {
        snprintf(rest, sizeof rest, "%s", name + n);
        resnet_names(rest, sizeof rest);
        snprintf(out, sizeof out, "%sinput_blocks.%d.0.%s", m->prefix, 3 * i + j + 1, rest);
    } else if (sscanf(name, "down_blocks.%d.attentions.%d.%n", &i, &j, &n) == 2 && n) {
        snprintf(out, sizeof out, "%sinput_blocks.%d.1.%s", m->prefix, 3 * i + j + 1, name + n);
    } else if (sscanf(name, "down_blocks.%d.downsamplers.0.conv.%n", &i, &n) == 1 && n) {
        snprintf(out, sizeof out, "%sinput_blocks.%d.0.op.%s", m->prefix, 3 * (i + 1), name + n);
    } else if (sscanf(name, "up_blocks.%d.resnets.%d.%n", &i, &j, &n) == 2 && n) {
        snprintf(rest, sizeof rest, "%s", name + n);
        resnet_names(rest, sizeof rest);
        snprintf(out, sizeof out, "%soutput_blocks.%d.0.%s", m->prefix, 3 * i + j, rest);
    } else if (sscanf(name, "up_blocks.%d.attentions.%d.%n", &i, &j, &n) == 2 && n) {
        snprintf(out, sizeof out, "%soutput_blocks.%d.1.%s", m->prefix, 3 * i + j, name + n);
    } else if (sscanf(name, "up_blocks.%d.upsamplers.0.conv.%n", &i, &n) == 1 && n) {
        snprintf(out, sizeof out, "%soutput_blocks.%d.%d.conv.%s", m->prefix, 3 * i + 2, i == 0 && !m->xl ? 1 : 2, name + n);
    } else if (sscanf(name, "mid_block.resnets.%d.%n", &j, &n) == 1 && n) {
        snprintf(rest, sizeof rest, "%s", name + n);
        resnet_names(rest, sizeof rest);
        snprintf(out, sizeof out, "%smiddle_block.%d.%s", m->prefix, 2 * j, rest);
    } else if (strncmp(name, "mid_block.attentions.0.", 23) == 0) {
        snprintf(out, sizeof out, "%smiddle_block.1.%s", m->prefix, name + 23);
    } else {
        snprintf(rest, sizeof rest, "%s", name);
        rename_all(rest, sizeof rest, top, 7);
        snprintf(out, sizeof out, "%s%s", m->prefix, rest);
        if (strcmp(name, "conv_in.weight") == 0 && m->options->conv_in_channels) dims[1] = m->options->conv_in_channels;
    }
    add(m, out, rank, dims);
}

static void vae_item(void *ctx, const char *name, int rank, const int64_t *shape)
{
    static const char *const pairs[][2] = {
        { "mid_block.resnets.0.", "mid.block_1." }, { "mid_block.resnets.1.", "mid.block_2." },
        { "mid_block.attentions.0.", "mid.attn_1." }, { "attn_1.to_q.", "attn_1.q." }, { "attn_1.to_k.", "attn_1.k." },
        { "attn_1.to_v.", "attn_1.v." }, { "attn_1.to_out.0.", "attn_1.proj_out." }, { "attn_1.group_norm.", "attn_1.norm." },
        { "conv_norm_out.", "norm_out." }, { "conv_shortcut.", "nin_shortcut." }, { "resnets.", "block." },
        { "downsamplers.0.", "downsample." }, { "upsamplers.0.", "upsample." }, { "down_blocks.", "down." },
    };
    maker *m = ctx;
    char out[256], level[32];
    int64_t dims[4] = { 0, 1, 1, 1 };
    snprintf(out, sizeof out, "%s%s", m->prefix, name);
    rename_all(out, sizeof out, pairs, 14);
    for (int i = 0; i < 4; i++) { /* the decoder's levels count from the picture */
        snprintf(level, sizeof level, "up_blocks.%d.", i);
        char to[32];
        snprintf(to, sizeof to, "up.%d.", 3 - i);
        replace(out, sizeof out, level, to);
    }
    memcpy(dims, shape, (size_t)rank * sizeof *shape);
    for (int i = rank; i < 4; i++) dims[i] = 1;
    bool matrix = strstr(out, ".attn_1.") && rank == 2; /* stored as 1x1 convolutions */
    add(m, out, matrix ? 4 : rank, dims);
}

static void clip_item(void *ctx, const char *name, int rank, const int64_t *shape)
{
    maker *m = ctx;
    char out[256];
    const char *model = m->options->no_text_model || strcmp(name, "text_projection.weight") == 0 ? "" : "text_model.";
    snprintf(out, sizeof out, "%s%s%s", m->prefix, model, name);
    add(m, out, rank, shape);
}

static void openclip_item(void *ctx, const char *name, int rank, const int64_t *shape)
{
    static const char *const pairs[][2] = {
        { "encoder.layers.", "transformer.resblocks." }, { "layer_norm1.", "ln_1." }, { "layer_norm2.", "ln_2." },
        { "self_attn.out_proj.", "attn.out_proj." }, { "mlp.fc1.", "mlp.c_fc." }, { "mlp.fc2.", "mlp.c_proj." },
        { "final_layer_norm.", "ln_final." }, { "embeddings.token_embedding.", "token_embedding." },
        { "embeddings.position_embedding.weight", "positional_embedding" }, { "self_attn.q_proj.", "attn.in_proj_" },
        { "text_projection.weight", "text_projection" },
    };
    maker *m = ctx;
    char out[256];
    int64_t dims[2] = { shape[0], rank > 1 ? shape[1] : 0 };
    if (strstr(name, ".k_proj.") || strstr(name, ".v_proj.")) return; /* inside in_proj */
    if (strstr(name, ".q_proj.")) dims[0] *= 3;
    if (strcmp(name, "text_projection.weight") == 0) {
        dims[0] = shape[1];
        dims[1] = shape[0];
    }
    snprintf(out, sizeof out, "%s%s", m->prefix, name);
    rename_all(out, sizeof out, pairs, 11);
    add(m, out, rank, dims);
}

static void list_part(maker *m, sdw_part_id part, const char *json, const char *prefix, sdw_binder_item_fn *item)
{
    sdw_error err = { 0 };
    yyjson_doc *doc = NULL;
    m->prefix = prefix;
    assert_int_equal(sdw_json_parse(json, strlen(json), "published", NULL, &doc, &err), SDW_OK);
    if (sdw_model_walk(part, yyjson_doc_get_root(doc), "published", item, m, NULL, &err) != SDW_OK) fail_msg("%s", err.text);
    yyjson_doc_free(doc);
}

static void add_extras(maker *m)
{
    static const char *const names[] = {
        "alphas_cumprod", "betas", "model_ema.decay", "model_ema.diffusion_modelinput_blocks00weight",
        "sqrt_one_minus_alphas_cumprod", "posterior_mean_coef1", "first_stage_model.loss.logvar", "logvar",
    };
    const int64_t one[] = { 1 };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) add(m, names[i], 1, one);
    if (m->openclip || m->xl) {
        add(m, m->xl ? "conditioner.embedders.1.model.logit_scale" : "cond_stage_model.model.logit_scale", 0, one);
    }
    if (!m->openclip)
        add(m, m->xl ? "conditioner.embedders.0.transformer.text_model.embeddings.position_ids"
                     : "cond_stage_model.transformer.text_model.embeddings.position_ids", 1, one);
    if (m->openclip) { /* the layer and the projection that SD 2 does not use */
        const int64_t projection[] = { 1024, 1024 }, norm[] = { 1024 }, fused[] = { 3072, 1024 };
        add(m, "cond_stage_model.model.text_projection", 2, projection);
        add(m, "cond_stage_model.model.transformer.resblocks.23.ln_1.weight", 1, norm);
        add(m, "cond_stage_model.model.transformer.resblocks.23.attn.in_proj_weight", 2, fused);
    }
}

void ldm_file_write(const char *path, const sdw_family *f, const ldm_options *options)
{
    static const ldm_options none = { 0 };
    maker m = { .options = options ? options : &none };
    m.xl = f->text_encoder_2[0] != '\0';
    m.openclip = strstr(f->text_encoder, "\"gelu\"") != NULL;
    sdw_buf_puts(&m.header, "{");
    if (m.xl) {
        list_part(&m, SDW_PART_TEXT_ENCODER, f->text_encoder, "conditioner.embedders.0.transformer.", clip_item);
        list_part(&m, SDW_PART_TEXT_ENCODER_2, f->text_encoder_2, "conditioner.embedders.1.model.", openclip_item);
    } else if (m.openclip) {
        list_part(&m, SDW_PART_TEXT_ENCODER, f->text_encoder, "cond_stage_model.model.", openclip_item);
    } else {
        list_part(&m, SDW_PART_TEXT_ENCODER, f->text_encoder, "cond_stage_model.transformer.", clip_item);
    }
    list_part(&m, SDW_PART_UNET, f->unet, "model.diffusion_model.", unet_item);
    list_part(&m, SDW_PART_VAE, f->vae, "first_stage_model.", vae_item);
    if (m.options->training_extras) add_extras(&m);
    if (m.options->extra) add(&m, m.options->extra, 1, (const int64_t[]){ 5 });
    sdw_buf_puts(&m.header, "}");
    assert_false(m.header.failed);

    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    for (int i = 0; i < 8; i++) fputc((int)(((uint64_t)m.header.size >> (8 * i)) & 0xff), out);
    fwrite(m.header.data, 1, m.header.size, out);
    fflush(out);
    assert_int_equal(ftruncate(fileno(out), (off_t)(8 + m.header.size + m.bytes)), 0);
    fclose(out);
    sdw_buf_finish(&m.header);
}
