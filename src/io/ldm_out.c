/* ldm_out.c - see ldm_out.h. Blocks of a side are numbered in one row, diffusers numbers them by level. */
#include "io/ldm_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    const char *from, *to;
} pair;

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const pair *match(const pair *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strncmp(name, list[i].from, strlen(list[i].from))) return &list[i];
    return NULL;
}

/* "WORD.N." at *at: takes it and gives N. */
static bool take(const char **at, const char *word, int *ret)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) || (*at)[n] != '.') return false;
    char *end;
    long v = strtol(*at + n + 1, &end, 10);
    if (end == *at + n + 1 || *end != '.') return false;
    *ret = (int)v;
    *at = end + 1;
    return true;
}

/* ---- UNet ---- */

static const pair unet_top[] = {
    { "conv_in.", "input_blocks.0.0." }, { "conv_norm_out.", "out.0." }, { "conv_out.", "out.2." },
    { "time_embedding.linear_1.", "time_embed.0." }, { "time_embedding.linear_2.", "time_embed.2." },
    { "add_embedding.linear_1.", "label_emb.0.0." }, { "add_embedding.linear_2.", "label_emb.0.2." },
};
static const pair unet_resnet[] = {
    { "norm1.", "in_layers.0." }, { "conv1.", "in_layers.2." }, { "time_emb_proj.", "emb_layers.1." },
    { "norm2.", "out_layers.0." }, { "conv2.", "out_layers.3." }, { "conv_shortcut.", "skip_connection." },
};

/* block: "input_blocks.4.0" */
static bool put_resnet(const char *block, const char *rest, char *ret, size_t size)
{
    const pair *p = match(unet_resnet, COUNT(unet_resnet), rest);
    if (!p) return false;
    snprintf(ret, size, "model.diffusion_model.%s.%s%s", block, p->to, rest + strlen(p->from));
    return true;
}

static bool unet_down(const sdw_ldm_layout *l, int level, const char *s, char *ret, size_t size)
{
    char block[40];
    int index, first = 1 + level * (l->resnets + 1);
    if (take(&s, "resnets", &index)) {
        snprintf(block, sizeof block, "input_blocks.%d.0", first + index);
        return put_resnet(block, s, ret, size);
    }
    if (take(&s, "attentions", &index)) {
        snprintf(ret, size, "model.diffusion_model.input_blocks.%d.1.%s", first + index, s);
        return true;
    }
    if (!take(&s, "downsamplers", &index) || strncmp(s, "conv.", 5)) return false;
    snprintf(ret, size, "model.diffusion_model.input_blocks.%d.0.op.%s", first + l->resnets, s + 5);
    return true;
}

static bool unet_up(const sdw_ldm_layout *l, int level, const char *s, char *ret, size_t size)
{
    char block[40];
    int index, first = level * (l->resnets + 1);
    if (take(&s, "resnets", &index)) {
        snprintf(block, sizeof block, "output_blocks.%d.0", first + index);
        return put_resnet(block, s, ret, size);
    }
    if (take(&s, "attentions", &index)) {
        snprintf(ret, size, "model.diffusion_model.output_blocks.%d.1.%s", first + index, s);
        return true;
    }
    if (!take(&s, "upsamplers", &index)) return false;
    snprintf(ret, size, "model.diffusion_model.output_blocks.%d.%d.%s", first + l->resnets, l->up_attention >> level & 1 ? 2 : 1, s);
    return true;
}

bool sdw_ldm_unet_name(const sdw_ldm_layout *l, const char *name, char *ret, size_t size)
{
    int n;
    const char *s = name;
    const pair *p = match(unet_top, COUNT(unet_top), name);
    if (p) {
        snprintf(ret, size, "model.diffusion_model.%s%s", p->to, name + strlen(p->from));
        return true;
    }
    if (take(&s, "down_blocks", &n)) return unet_down(l, n, s, ret, size);
    if (take(&s, "up_blocks", &n)) return unet_up(l, n, s, ret, size);
    if (strncmp(s, "mid_block.", 10)) return false;
    s += 10;
    if (take(&s, "resnets", &n)) return put_resnet(n ? "middle_block.2" : "middle_block.0", s, ret, size);
    if (!take(&s, "attentions", &n)) return false;
    snprintf(ret, size, "model.diffusion_model.middle_block.1.%s", s);
    return true;
}

/* ---- VAE ---- */

static const pair vae_middle[] = {
    { "mid_block.resnets.0.", "mid.block_1." }, { "mid_block.resnets.1.", "mid.block_2." },
    { "mid_block.attentions.0.to_q.", "mid.attn_1.q." }, { "mid_block.attentions.0.to_k.", "mid.attn_1.k." },
    { "mid_block.attentions.0.to_v.", "mid.attn_1.v." }, { "mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out." },
    { "mid_block.attentions.0.group_norm.", "mid.attn_1.norm." }, { "conv_norm_out.", "norm_out." },
    { "conv_in.", "conv_in." }, { "conv_out.", "conv_out." },
};

/* The shortcut of a resnet is the one name inside a block that differs. */
static void put_block(char *ret, size_t size, const char *begin, const char *rest)
{
    bool shortcut = !strncmp(rest, "conv_shortcut.", 14);
    snprintf(ret, size, "%s%s%s", begin, shortcut ? "nin_shortcut." : "", rest + (shortcut ? 14 : 0));
}

static bool vae_level(const sdw_ldm_layout *l, const char *side, bool up, int level, const char *s, char *ret, size_t size)
{
    char begin[96];
    int index, at = up ? l->vae_levels - 1 - level : level;
    snprintf(begin, sizeof begin, "first_stage_model.%s.%s.%d.", side, up ? "up" : "down", at);
    if (take(&s, "resnets", &index)) {
        size_t n = strlen(begin);
        snprintf(begin + n, sizeof begin - n, "block.%d.", index);
        put_block(ret, size, begin, s);
        return true;
    }
    if (!take(&s, up ? "upsamplers" : "downsamplers", &index)) return false;
    snprintf(ret, size, "%s%s.%s", begin, up ? "upsample" : "downsample", s);
    return true;
}

bool sdw_ldm_vae_name(const sdw_ldm_layout *l, const char *name, char *ret, size_t size, sdw_ldm_shape *ret_shape)
{
    char begin[96];
    int level;
    const char *side = !strncmp(name, "encoder.", 8) ? "encoder" : !strncmp(name, "decoder.", 8) ? "decoder" : NULL;
    *ret_shape = SDW_LDM_SAME;
    if (!side) {
        snprintf(ret, size, "first_stage_model.%s", name);
        return true;
    }
    const char *s = name + 8;
    const pair *p = match(vae_middle, COUNT(vae_middle), s);
    if (p) {
        bool matrix = strstr(s, ".to_") && strstr(s, ".weight");
        if (matrix) *ret_shape = SDW_LDM_CONV;
        snprintf(begin, sizeof begin, "first_stage_model.%s.%s", side, p->to);
        put_block(ret, size, begin, s + strlen(p->from));
        return true;
    }
    if (take(&s, "down_blocks", &level)) return vae_level(l, side, false, level, s, ret, size);
    return take(&s, "up_blocks", &level) && vae_level(l, side, true, level, s, ret, size);
}

/* ---- OpenCLIP ---- */

static const pair openclip_layer[] = {
    { "layer_norm1.", "ln_1." }, { "layer_norm2.", "ln_2." }, { "mlp.fc1.", "mlp.c_fc." }, { "mlp.fc2.", "mlp.c_proj." },
    { "self_attn.out_proj.", "attn.out_proj." },
};

bool sdw_openclip_name(const char *name, char *ret, size_t size, sdw_ldm_shape *ret_shape)
{
    static const pair top[] = {
        { "embeddings.token_embedding.weight", "token_embedding.weight" },
        { "embeddings.position_embedding.weight", "positional_embedding" },
        { "final_layer_norm.", "ln_final." },
    };
    int layer;
    const char *s = name;
    const pair *p = match(top, COUNT(top), name);
    *ret_shape = SDW_LDM_SAME;
    if (p) {
        snprintf(ret, size, "%s%s", p->to, name + strlen(p->from));
        return true;
    }
    if (!strcmp(name, "text_projection.weight")) {
        *ret_shape = SDW_LDM_TRANSPOSED;
        snprintf(ret, size, "text_projection");
        return true;
    }
    if (!take(&s, "encoder.layers", &layer)) return false;
    p = match(openclip_layer, COUNT(openclip_layer), s);
    if (p) {
        snprintf(ret, size, "transformer.resblocks.%d.%s%s", layer, p->to, s + strlen(p->from));
        return true;
    }
    if (strncmp(s, "self_attn.q_proj.", 17)) return false; /* k and v lie in q's tensor */
    *ret_shape = SDW_LDM_THREE;
    snprintf(ret, size, "transformer.resblocks.%d.attn.in_proj_%s", layer, s + 17);
    return true;
}
