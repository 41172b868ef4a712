/* clip_names.c - CLIP text encoders: Hugging Face names with and without prefix, OpenCLIP names. */
#include "io/clip_names.h"

#include <stdio.h>
#include <string.h>

#include "io/name_scan.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static void clip_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    const char *s = source->name;
    if (!sdw_name_take(&s, ctx)) return;
    sdw_name_take(&s, "text_model.");
    if (strcmp(s, "embeddings.position_ids") == 0) row->known = true;
    else sdw_view_row_name(row, "%s", s);
}

sdw_status sdw_clip_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err)
{
    return sdw_checkpoint_view(file, clip_row, prefix, ret, err);
}

static const sdw_name_pair layer_names[] = {
    { "ln_1.", "layer_norm1." },
    { "ln_2.", "layer_norm2." },
    { "attn.out_proj.", "self_attn.out_proj." },
    { "mlp.c_fc.", "mlp.fc1." },
    { "mlp.c_proj.", "mlp.fc2." },
};

static void layer_row(sdw_view_row *row, const char *s, const sdw_openclip_layout *layout)
{
    static const char fused[] = "attn.in_proj_";
    int layer;
    if (!sdw_name_take_index(&s, &layer)) return;
    if (layer == layout->layers) {
        row->known = true;
        return;
    }
    const sdw_name_pair *p = sdw_name_match(s, layer_names, COUNT(layer_names));
    if (p) {
        sdw_view_row_name(row, "encoder.layers.%d.%s%s", layer, p->to, s + strlen(p->from));
    } else if (sdw_name_take(&s, fused) && (strcmp(s, "weight") == 0 || strcmp(s, "bias") == 0)) {
        for (int i = 0; i < 3; i++)
            snprintf(row->name[i], sizeof row->name[i], "encoder.layers.%d.self_attn.%c_proj.%s", layer, "qkv"[i], s);
        row->parts = 3;
    }
}

static void openclip_row(const void *ctx, const sdw_file_tensor *source, sdw_view_row *row)
{
    static const sdw_name_pair top[] = {
        { "token_embedding.", "embeddings.token_embedding." },
        { "ln_final.", "final_layer_norm." },
    };
    const sdw_openclip_layout *layout = ctx;
    const char *s = source->name;
    if (!sdw_name_take(&s, layout->prefix)) return;
    const sdw_name_pair *p = sdw_name_match(s, top, COUNT(top));
    if (p) {
        sdw_view_row_name(row, "%s%s", p->to, s + strlen(p->from));
    } else if (strcmp(s, "positional_embedding") == 0) {
        sdw_view_row_name(row, "embeddings.position_embedding.weight");
    } else if (strncmp(s, "text_projection", 15) == 0 && !layout->projection) {
        row->known = true;
    } else if (strcmp(s, "text_projection") == 0) {
        sdw_view_row_name(row, "text_projection.weight");
        row->transposed = true;
    } else if (strcmp(s, "text_projection.weight") == 0) {
        sdw_view_row_name(row, "text_projection.weight"); /* some converters write the Hugging Face matrix */
    } else if (strcmp(s, "logit_scale") == 0 || strcmp(s, "attn_mask") == 0) {
        row->known = true;
    } else if (sdw_name_take(&s, "transformer.resblocks.")) {
        layer_row(row, s, layout);
    }
}

sdw_status sdw_openclip_view(sdw_checkpoint *file, const sdw_openclip_layout *layout, sdw_checkpoint **ret,
                             sdw_error *err)
{
    return sdw_checkpoint_view(file, openclip_row, layout, ret, err);
}
