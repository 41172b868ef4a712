/* family.h - what differs between model families, as records of properties. Nobody asks "is it SDXL"; they ask for
 * the property. A family is one file in families/, registered by its name. */
#ifndef SDW_MODEL_FAMILY_H
#define SDW_MODEL_FAMILY_H

#include <stdbool.h>

#include "core/status.h"
#include "io/checkpoint.h"

typedef struct sdw_family_defaults {
    int steps;
    double guidance;
    double img2img_strength;
    double inpaint_strength;
} sdw_family_defaults;

/* What a diffusers folder says about itself in its configurations, as far as families differ in it. */
typedef struct sdw_family_traits {
    bool second_text_encoder;
    int in_channels;             /* of the UNet: 4, or 9 for inpainting */
    int context_width;           /* cross_attention_dim of the UNet */
    bool openclip;               /* the first text encoder has OpenCLIP's activation (gelu) */
    bool v_prediction;
    bool trailing;               /* timestep_spacing */
    bool ancestral;              /* the scheduler is Euler ancestral */
    bool euler;                  /* the scheduler is plain Euler */
} sdw_family_traits;

typedef struct sdw_family {
    const char *name;    /* "sd15", "sd15-inpaint", "sd21", "sd21-inpaint", "sdxl", "sdxl-inpaint", "sd-turbo", "sdxl-turbo" */
    const char *summary;
    /* Single file in LDM naming: does the header (keys and shapes, never data) say that it is this family? Tested in
     * order of `rank`, lowest first. NULL: never detected from a file alone. */
    bool (*detect)(const sdw_checkpoint *file);
    /* The same for a diffusers folder, by its traits. */
    bool (*matches)(const sdw_family_traits *traits);
    int rank; /* no two families share one */
    const char *class_name; /* of the diffusers pipeline */
    /* Published configuration of each part as JSON text, used for single files without --config; "" = no such part. */
    const char *text_encoder, *text_encoder_2, *unet, *vae, *scheduler;
    /* Pad token ids of the two tokenizers when no tokenizer files say it. */
    int pad_id[2];
    bool force_zeros_for_empty_prompt;
    /* The reference's pipelines of this family work with steps_offset 1 and without clip_sample, whatever the scheduler
     * file says: files of early models lack both, and the defaults of the classes are wrong for latents. */
    bool mends_scheduler;
    /* Set when the header alone cannot tell epsilon from v: loading warns and names --prediction. */
    bool prediction_is_a_guess;
    sdw_family_defaults defaults;
} sdw_family;

/* Registered families, in the order of their file names. */
const sdw_family *const *sdw_families(int *ret_count);
const sdw_family *sdw_family_by_name(const char *name); /* NULL if unknown */
/* The family of a folder; NULL if none matches. */
const sdw_family *sdw_family_of_traits(const sdw_family_traits *traits);
/* The family of a single file in LDM naming, from names and shapes. SDW_UNSUPPORTED with the name of the thing for
 * models that we know and cannot run; SDW_UNSUPPORTED with the names looked for if nothing matches. */
sdw_status sdw_family_detect(const sdw_checkpoint *file, const sdw_family **ret, sdw_error *err);

/* For detect functions: a dimension of a tensor, 0 if the tensor or the dimension is absent. Negative: from the end. */
int64_t sdw_file_dim(const sdw_checkpoint *file, const char *name, int dim);
/* The tensors that tell families apart. */
#define SDW_KEY_CONV_IN "model.diffusion_model.input_blocks.0.0.weight"
#define SDW_KEY_CONTEXT "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
#define SDW_KEY_XL "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"

#endif
