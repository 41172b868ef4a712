/* model_files.h - a model as it lies on disk: which parts, which configuration, which tensors under canonical names.
 * Canonical are the diffusers names for unet and vae, the Hugging Face names without "text_model." for the text
 * encoders ("embeddings.token_embedding.weight", "encoder.layers.0.mlp.fc1.weight", "text_projection.weight"). */
#ifndef SDW_MODEL_MODEL_FILES_H
#define SDW_MODEL_MODEL_FILES_H

#include <stdbool.h>

#include "core/json.h"
#include "core/warn.h"
#include "io/checkpoint.h"
#include "model/family.h"

typedef enum sdw_part_id { SDW_PART_TEXT_ENCODER, SDW_PART_TEXT_ENCODER_2, SDW_PART_UNET, SDW_PART_VAE, SDW_PART_COUNT } sdw_part_id;

typedef struct sdw_part_files {
    bool present;
    const char *name;          /* "text_encoder", "text_encoder_2", "unet", "vae" */
    yyjson_val *config;        /* root object; owned by the model files */
    sdw_checkpoint *weights;   /* canonical names */
} sdw_part_files;

typedef struct sdw_model_files_options {
    const char *config_dir;    /* --config DIR: a diffusers folder whose configs, tokenizers and scheduler describe a single file; NULL = none */
    bool configs_only;         /* no weights are opened: what a folder is, though not all of it may be there */
    const char *variant;       /* "fp16" etc. to insist on; NULL = the plain file if there, else fp16 */
} sdw_model_files_options;

/* A single file may carry the configurations of its parts, as one JSON text under this key of its metadata: then
 * nothing has to be detected. Beside them: is the prediction type only assumed? */
#define SDW_CARRIED_KEY "sdw_model"
#define SDW_CARRIED_GUESS "prediction_is_a_guess"

typedef struct sdw_model_files {
    char *path;
    bool single_file;
    char *class_name;                      /* of model_index.json, or of the detected family */
    const sdw_family *family;              /* never NULL after a successful open */
    sdw_part_files part[SDW_PART_COUNT];
    yyjson_val *scheduler;                 /* root object of scheduler_config.json */
    char *tokenizer_dir[2];                /* folders of tokenizer files; NULL = the built-in CLIP vocabulary */
    bool force_zeros_for_empty_prompt;
    bool prediction_is_a_guess;            /* SD 2.x single file without config */
} sdw_model_files;

/* Opens a diffusers folder or a single .safetensors file (in LDM names, or in diffusers names behind those of the
 * parts, "unet.conv_in.weight"); reads configs and headers, no weights. Never opens a file
 * outside the named folder (component names with separators or ".." are refused). warnings may be NULL. */
sdw_status sdw_model_files_open(const char *path, const sdw_model_files_options *options, sdw_model_files **ret,
                                sdw_warnings *warnings, sdw_error *err);
/* Warns of every tensor that nobody marked as used (a few names, then a count). */
void sdw_model_files_warn_unused(const sdw_model_files *m, sdw_warnings *warnings);
/* Tells the kernel that no mapped page of the weights is needed in memory now; they stay readable. */
void sdw_model_files_release(const sdw_model_files *m);
void sdw_model_files_close(sdw_model_files *m); /* accepts NULL */

#endif
