/* ldm_names.c - LDM names under diffusers names. The scheme: LDM numbers all blocks of a side in one row, diffusers by
 * level; a level has `resnets` blocks and a resampler on the way down, resnets + 1 blocks on the way up. */
#include "io/ldm_names.h"

#include <string.h>

#include "io/name_scan.h"

#define UNET "model.diffusion_model."
#define VAE "first_stage_model."
#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static const sdw_name_pair unet_top[] = {
    { "input_blocks.0.0.", "conv_in." },
    { "out.0.", "conv_norm_out." },
    { "out.2.", "conv_out." },
    { "time_embed.0.", "time_embedding.linear_1." },
    { "time_embed.2.", "time_embedding.linear_2." },
    { "label_emb.0.0.", "add_embedding.linear_1." },
    { "label_emb.0.2.", "add_embedding.linear_2." },
};

static const sdw_name_pair unet_resnet[] = {
    { "in_layers.0.", "norm1." },
    { "in_layers.2.", "conv1." },
    { "emb_layers.1.", "time_emb_proj." },
    { "out_layers.0.", "norm2." },
    { "out_layers.3.", "conv2." },
    { "skip_connection.", "conv_shortcut." },
};

/* The rest of a resnet's name; what is unknown keeps its name and so is found to be unused later. */
static void resnet_row(sdw_view_row *row, const char *block, int level, int index, const char *rest)
{
    const sdw_name_pair *p = sdw_name_match(rest, unet_resnet, COUNT(unet_resnet));
    if (p) sdw_view_row_name(row, "%s.%d.resnets.%d.%s%s", block, level, index, p->to, rest + strlen(p->from));
}

static void input_row(sdw_view_row *row, const char *s, int resnets)
{
    int n, part;
    if (!sdw_name_take_index(&s, &n) || n < 1 || !sdw_name_take_index(&s, &part)) return;
    int level = (n - 1) / (resnets + 1), index = (n - 1) % (resnets + 1);
    if (index == resnets) {
        if (part == 0 && sdw_name_take(&s, "op.")) sdw_view_row_name(row, "down_blocks.%d.downsamplers.0.conv.%s", level, s);
    } else if (part == 0) {
        resnet_row(row, "down_blocks", level, index, s);
    } else if (part == 1) {
        sdw_view_row_name(row, "down_blocks.%d.attentions.%d.%s", level, index, s);
    }
}

static void output_row(sdw_view_row *row, const char *s, int resnets)
{
    int n, part;
    if (!sdw_name_take_index(&s, &n) || !sdw_name_take_index(&s, &part)) return;
    int level = n / (resnets + 1), index = n % (resnets + 1);
    /* The upsampler is part 2, or part 1 in a block without attention; no attention has a weight called conv. */
    if (part > 0 && index == resnets && sdw_name_take(&s, "conv."))
        sdw_view_row_name(row, "up_blocks.%d.upsamplers.0.conv.%s", level, s);
    else if (part == 0)
        resnet_row(row, "up_blocks", level, index, s);
    else if (part == 1)
        sdw_view_row_name(row, "up_blocks.%d.attentions.%d.%s", level, index, s);
}

static void middle_row(sdw_view_row *row, const char *s)
{
    int part;
    if (!sdw_name_take_index(&s, &part)) return;
    if (part == 1) {
        sdw_view_row_name(row, "mid_block.attentions.0.%s", s);
    } else if (part == 0 || part == 2) {
        const sdw_name_pair *p = sdw_name_match(s, unet_resnet, COUNT(unet_resnet));
        if (p) sdw_view_row_name(row, "mid_block.resnets.%d.%s%s", part / 2, p->to, s + strlen(p->from));
    }
}

static void unet_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    const int resnets = *(const int *)ctx;
    const char *s = source->name;
    if (!sdw_name_take(&s, UNET)) return;
    const sdw_name_pair *p = sdw_name_match(s, unet_top, COUNT(unet_top));
    if (p) sdw_view_row_name(row, "%s%s", p->to, s + strlen(p->from));
    else if (sdw_name_take(&s, "input_blocks.")) input_row(row, s, resnets);
    else if (sdw_name_take(&s, "middle_block.")) middle_row(row, s);
    else if (sdw_name_take(&s, "output_blocks.")) output_row(row, s, resnets);
}

sdw_status sdw_ldm_unet_view(sdw_checkpoint *file, int resnets, sdw_checkpoint **ret, sdw_error *err)
{
    return sdw_checkpoint_view(file, unet_row, &resnets, ret, err);
}

static const sdw_name_pair vae_middle[] = {
    { "mid.block_1.", "mid_block.resnets.0." },
    { "mid.block_2.", "mid_block.resnets.1." },
    { "mid.attn_1.q.", "mid_block.attentions.0.to_q." },
    { "mid.attn_1.k.", "mid_block.attentions.0.to_k." },
    { "mid.attn_1.v.", "mid_block.attentions.0.to_v." },
    { "mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0." },
    { "mid.attn_1.norm.", "mid_block.attentions.0.group_norm." },
    { "norm_out.", "conv_norm_out." },
    { "conv_in.", "conv_in." },
    { "conv_out.", "conv_out." },
};

/* The shortcut of a resnet is the one name inside a block that differs. */
static const char *vae_block_rest(const char *s, const char **ret_rest)
{
    *ret_rest = s;
    return sdw_name_take(ret_rest, "nin_shortcut.") ? "conv_shortcut." : "";
}

/* side: "encoder" or "decoder"; s: behind it. levels: LDM counts the decoder's levels from the picture inwards. */
static void vae_side_row(sdw_view_row *row, const char *side, const char *s, int levels)
{
    int level, index;
    const char *rest, *renamed;
    const sdw_name_pair *p = sdw_name_match(s, vae_middle, COUNT(vae_middle));
    if (p) {
        renamed = vae_block_rest(s + strlen(p->from), &rest);
        sdw_view_row_name(row, "%s.%s%s%s", side, p->to, renamed, rest);
        return;
    }
    bool up = sdw_name_take(&s, "up.");
    if ((!up && !sdw_name_take(&s, "down.")) || !sdw_name_take_index(&s, &level) || level >= levels) return;
    if (up) level = levels - 1 - level;
    const char *blocks = up ? "up_blocks" : "down_blocks";
    if (sdw_name_take(&s, "upsample.conv.")) {
        sdw_view_row_name(row, "%s.%s.%d.upsamplers.0.conv.%s", side, blocks, level, s);
    } else if (sdw_name_take(&s, "downsample.conv.")) {
        sdw_view_row_name(row, "%s.%s.%d.downsamplers.0.conv.%s", side, blocks, level, s);
    } else if (sdw_name_take(&s, "block.") && sdw_name_take_index(&s, &index)) {
        renamed = vae_block_rest(s, &rest);
        sdw_view_row_name(row, "%s.%s.%d.resnets.%d.%s%s", side, blocks, level, index, renamed, rest);
    }
}

static void vae_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    const int levels = *(const int *)ctx;
    const char *s = source->name;
    if (!sdw_name_take(&s, VAE)) return;
    if (strncmp(s, "quant_conv.", 11) == 0 || strncmp(s, "post_quant_conv.", 16) == 0) sdw_view_row_name(row, "%s", s);
    else if (sdw_name_take(&s, "encoder.")) vae_side_row(row, "encoder", s, levels);
    else if (sdw_name_take(&s, "decoder.")) vae_side_row(row, "decoder", s, levels);
}

sdw_status sdw_ldm_vae_view(sdw_checkpoint *file, sdw_checkpoint **ret, sdw_error *err)
{
    int levels = 0, level;
    for (size_t i = 0; i < sdw_checkpoint_count(file); i++) {
        const char *s = sdw_checkpoint_at(file, i)->name;
        if (sdw_name_take(&s, VAE "decoder.up.") && sdw_name_take_index(&s, &level) && level >= levels) levels = level + 1;
    }
    return sdw_checkpoint_view(file, vae_row, &levels, ret, err);
}

static void diffusers_vae_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    static const sdw_name_pair old[] = {
        { "query.", "to_q." },
        { "key.", "to_k." },
        { "value.", "to_v." },
        { "proj_attn.", "to_out.0." },
    };
    static const char attention[] = ".mid_block.attentions.0.";
    const char *s = source->name;
    if (!sdw_name_take(&s, ctx)) return;
    const char *at = strstr(s, attention), *rest = at ? at + sizeof attention - 1 : NULL;
    const sdw_name_pair *p = rest ? sdw_name_match(rest, old, COUNT(old)) : NULL;
    if (p) sdw_view_row_name(row, "%.*s%s%s", (int)(rest - s), s, p->to, rest + strlen(p->from));
    else sdw_view_row_name(row, "%s", s);
}

sdw_status sdw_diffusers_vae_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err)
{
    return sdw_checkpoint_view(file, diffusers_vae_row, prefix, ret, err);
}

static void prefixed_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    const char *s = source->name;
    if (sdw_name_take(&s, ctx)) sdw_view_row_name(row, "%s", s);
}

sdw_status sdw_prefixed_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err)
{
    return sdw_checkpoint_view(file, prefixed_row, prefix, ret, err);
}

void sdw_ldm_ignore_leftovers(sdw_checkpoint *file)
{
    static const char *const beginnings[] = { "model_ema.", VAE "loss.", VAE "model_ema.", "denoiser.", "posterior_" };
    static const char *const names[] = {
        "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "lvlb_weights",
        "logvar", "scale_factor", "global_step",
    };
    for (size_t i = 0; i < sdw_checkpoint_count(file); i++) {
        sdw_file_tensor *t = sdw_checkpoint_at(file, i);
        for (int k = 0; k < COUNT(beginnings); k++)
            if (strncmp(t->name, beginnings[k], strlen(beginnings[k])) == 0) t->used = true;
        for (int k = 0; k < COUNT(names); k++)
            if (strcmp(t->name, names[k]) == 0) t->used = true;
    }
}
