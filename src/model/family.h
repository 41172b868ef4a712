/* family.h - what differs between model families, as records of properties. Nobody asks "is it SDXL"; they ask for
 * the property. A family is one file in families/, registered by its name. */
#ifndef SDW_MODEL_FAMILY_H
#define SDW_MODEL_FAMILY_H

#include <stdbool.h>

#include "io/checkpoint.h"

typedef struct sdw_family_defaults {
    int steps;
    double guidance;
    double img2img_strength;
    double inpaint_strength;
} sdw_family_defaults;

typedef struct sdw_family {
    const char *name;    /* "sd15", "sd15-inpaint", "sd21", "sd21-inpaint", "sdxl", "sdxl-inpaint", "sd-turbo", "sdxl-turbo" */
    const char *summary;
    /* Single file in LDM naming: does the header (keys and shapes, never data) say that it is this family? Tested in
     * order of `rank`, lowest first. NULL: never detected from a file alone. */
    bool (*detect)(const sdw_checkpoint *file);
    int rank;
    /* Published configuration of each part as JSON text, used for single files without --config; "" = no such part. */
    const char *text_encoder, *text_encoder_2, *unet, *vae, *scheduler;
    /* Pad token ids of the two tokenizers when no tokenizer files say it. */
    int pad_id[2];
    bool force_zeros_for_empty_prompt;
    /* Set when the header alone cannot tell epsilon from v: loading warns and names --prediction. */
    bool prediction_is_a_guess;
    sdw_family_defaults defaults;
} sdw_family;

/* Registered families, sorted by rank. */
const sdw_family *const *sdw_families(int *ret_count);
const sdw_family *sdw_family_by_name(const char *name); /* NULL if unknown */

#endif
