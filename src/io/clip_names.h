/* clip_names.h - views of CLIP text encoders under Hugging Face names without "text_model.". */
#ifndef SDW_IO_CLIP_NAMES_H
#define SDW_IO_CLIP_NAMES_H

#include <stdbool.h>

#include "io/checkpoint.h"

/* Hugging Face names behind `prefix` ("" in a folder's file), with or without "text_model.". Left out silently:
 * position_ids, which only count. */
sdw_status sdw_clip_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err);

typedef struct sdw_openclip_layout {
    const char *prefix; /* "conditioner.embedders.1.model." */
    int layers;         /* num_hidden_layers of the configuration */
    bool projection;    /* does the configuration use text_projection? */
} sdw_openclip_layout;

/* OpenCLIP names: the fused q|k|v matrix becomes three slices, text_projection its transpose. Left out silently:
 * logit_scale, attn_mask, an unused text_projection, and one layer more than the configuration has (SD 2 reads the last
 * but one of 24, so its configuration has 23). */
sdw_status sdw_openclip_view(sdw_checkpoint *file, const sdw_openclip_layout *layout, sdw_checkpoint **ret,
                             sdw_error *err);

#endif
