/* walk.c - the weight walk without weights. */
#include "model/walk.h"

#include "model/clip.h"
#include "model/unet.h"
#include "model/vae.h"

static sdw_status walk(sdw_part_id part, yyjson_val *config, const char *what, sdw_binder *b, sdw_error *err)
{
    sdw_status status;
    if (part == SDW_PART_UNET) {
        sdw_unet_config c;
        sdw_unet u;
        status = sdw_unet_config_parse(config, what, &c, err);
        if (status == SDW_OK) sdw_unet_walk(b, &c, &u);
    } else if (part == SDW_PART_VAE) {
        sdw_vae_config c;
        sdw_vae v;
        status = sdw_vae_config_parse(config, what, &c, err);
        if (status == SDW_OK) sdw_vae_walk(b, &c, &v);
    } else {
        sdw_clip_config c;
        sdw_clip t;
        status = sdw_clip_config_parse(config, what, &c, err);
        if (status == SDW_OK) sdw_clip_walk(b, &c, &t);
    }
    return status == SDW_OK ? sdw_binder_finish(b, err) : status;
}

sdw_status sdw_model_walk(sdw_part_id part, yyjson_val *config, const char *what, sdw_binder_item_fn *item, void *ctx,
                          sdw_walk_totals *ret_totals, sdw_error *err)
{
    sdw_arena arena = { 0 };
    sdw_binder b = { .arena = &arena, .part = what, .item = item, .item_ctx = ctx };
    sdw_status status = walk(part, config, what, &b, err);
    if (status == SDW_OK && ret_totals) *ret_totals = (sdw_walk_totals){ .tensors = b.tensors, .parameters = b.parameters };
    sdw_arena_finish(&arena);
    return status;
}
