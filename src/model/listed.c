/* listed.c - see listed.h. */
#include "model/listed.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "model/walk.h"

#define NAME_SIZE 256

typedef struct listing {
    sdw_listed *l;
    sdw_listed_part *part;
    bool no_memory;
} listing;

static void add_tensor(void *ctx, const char *name, int rank, const int64_t *shape)
{
    listing *at = ctx;
    sdw_listed_tensor *t = sdw_arena_alloc(&at->l->arena, sizeof *t);
    char *copy = sdw_arena_strdup(&at->l->arena, name);
    if (!t || !copy || rank > 4) { /* no walk has a fifth dimension */
        at->no_memory = true;
        return;
    }
    *t = (sdw_listed_tensor){ .name = copy, .file_name = copy, .rank = rank, .form = SDW_LDM_SAME };
    memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
    *at->part->last = t;
    at->part->last = &t->next;
}

sdw_status sdw_listed_add(sdw_listed *l, sdw_part_id id, const char *name, yyjson_val *config, sdw_error *err)
{
    sdw_listed_part *part = &l->part[id];
    *part = (sdw_listed_part){ .name = name, .config = config, .last = &part->first };
    listing at = { l, part, false };
    sdw_status s = sdw_model_walk(id, config, name, add_tensor, &at, NULL, err);
    return s == SDW_OK && at.no_memory ? sdw_fail_memory(err, "list of tensors", sizeof(sdw_listed_tensor)) : s;
}

/* ---- names in the file ---- */

/* Which levels have attention, and how many there are, is read off the names. */
static sdw_ldm_layout layout_of(const sdw_listed *l)
{
    static const char up[] = "up_blocks.", decoder_up[] = "decoder.up_blocks.", attentions[] = ".attentions.";
    const sdw_listed_part *unet = &l->part[SDW_PART_UNET];
    yyjson_val *layers = yyjson_obj_get(unet->config, "layers_per_block");
    sdw_ldm_layout layout = { .resnets = yyjson_is_int(layers) ? yyjson_get_int(layers) : 2 };
    for (const sdw_listed_tensor *t = unet->first; t; t = t->next) {
        if (strncmp(t->name, up, sizeof up - 1)) continue;
        int level = t->name[sizeof up - 1] - '0'; /* fewer than ten levels in any family */
        if (level >= 0 && level <= 9 && !strncmp(t->name + sizeof up, attentions, sizeof attentions - 1)) layout.up_attention |= 1u << level;
    }
    for (const sdw_listed_tensor *t = l->part[SDW_PART_VAE].first; t; t = t->next) {
        if (strncmp(t->name, decoder_up, sizeof decoder_up - 1)) continue;
        int level = t->name[sizeof decoder_up - 1] - '0';
        if (level >= layout.vae_levels) layout.vae_levels = level + 1;
    }
    return layout;
}

static void reshape(sdw_listed_tensor *t, sdw_ldm_shape form)
{
    t->form = form;
    if (form == SDW_LDM_CONV && t->rank == 2) {
        t->rank = 4;
        t->shape[2] = t->shape[3] = 1;
    } else if (form == SDW_LDM_TRANSPOSED) {
        int64_t rows = t->shape[0];
        t->shape[0] = t->shape[1];
        t->shape[1] = rows;
    } else if (form == SDW_LDM_THREE) {
        t->shape[0] *= 3;
    }
}

/* Text encoders: the second one, and SD 2's first, are OpenCLIP's; the others keep Hugging Face names. */
static bool ldm_text_name(const sdw_listed *l, sdw_part_id id, const char *name, char ret[NAME_SIZE], sdw_ldm_shape *form)
{
    char inner[200];
    bool xl = l->part[SDW_PART_TEXT_ENCODER_2].name != NULL, second = id == SDW_PART_TEXT_ENCODER_2;
    bool openclip = second || (!xl && yyjson_get_int(yyjson_obj_get(l->part[id].config, "hidden_size")) == 1024);
    *form = SDW_LDM_SAME;
    if (!openclip) {
        snprintf(ret, NAME_SIZE, "%s.transformer.text_model.%s", xl ? "conditioner.embedders.0" : "cond_stage_model", name);
        return true;
    }
    if (!sdw_openclip_name(name, inner, sizeof inner, form)) return false;
    snprintf(ret, NAME_SIZE, "%s.model.%s", xl ? "conditioner.embedders.1" : "cond_stage_model", inner);
    return true;
}

static bool ldm_name(const sdw_listed *l, const sdw_ldm_layout *layout, sdw_part_id id, const char *name, char ret[NAME_SIZE],
                     sdw_ldm_shape *form)
{
    *form = SDW_LDM_SAME;
    if (id == SDW_PART_UNET) return sdw_ldm_unet_name(layout, name, ret, NAME_SIZE);
    if (id == SDW_PART_VAE) return sdw_ldm_vae_name(layout, name, ret, NAME_SIZE, form);
    return ldm_text_name(l, id, name, ret, form);
}

/* transformers puts its own prefix before everything but the projection. */
static void diffusers_name(const sdw_listed_part *part, sdw_part_id id, const char *name, char ret[NAME_SIZE])
{
    bool text = id == SDW_PART_TEXT_ENCODER || id == SDW_PART_TEXT_ENCODER_2;
    bool inside = text && strncmp(name, "text_projection.", 16) != 0;
    snprintf(ret, NAME_SIZE, "%s.%s%s", part->name, inside ? "text_model." : "", name);
}

sdw_status sdw_listed_rename(sdw_listed *l, sdw_naming naming, sdw_error *err)
{
    char name[NAME_SIZE];
    sdw_ldm_layout layout = layout_of(l);
    for (int id = 0; naming != SDW_NAMING_PART && id < SDW_PART_COUNT; id++)
        for (sdw_listed_tensor *t = l->part[id].first; t; t = t->next) {
            sdw_ldm_shape form = SDW_LDM_SAME;
            bool placed = true;
            if (naming == SDW_NAMING_LDM) placed = ldm_name(l, &layout, (sdw_part_id)id, t->name, name, &form);
            else diffusers_name(&l->part[id], (sdw_part_id)id, t->name, name);
            t->file_name = placed ? sdw_arena_strdup(&l->arena, name) : NULL;
            if (placed && !t->file_name) return sdw_fail_memory(err, "list of tensors", strlen(name) + 1);
            if (placed) reshape(t, form);
        }
    return SDW_OK;
}

void sdw_listed_finish(sdw_listed *l)
{
    sdw_arena_finish(&l->arena);
    *l = (sdw_listed){ 0 };
}
