/* convert.h - a model of any layout and type as one .safetensors file of a chosen naming and type. Weights pass through
 * a small buffer, whatever the size of the model. */
#ifndef SDW_MODEL_CONVERT_H
#define SDW_MODEL_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/warn.h"
#include "model/listed.h"

typedef struct sdw_convert_options {
    const char *model, *config_dir, *variant; /* what to read, as in sdw_model_files_open */
    const char *output;
    sdw_naming naming;       /* DIFFUSERS or LDM */
    bool keep_dtype;         /* every tensor keeps its own type; else: */
    sdw_dtype dtype;         /* F32, F16, BF16 or F8_E4M3; with F8 vectors become F16, as they are few and sensitive */
    bool replace;            /* an existing file */
    bool (*cancelled)(void *ctx); /* asked between pieces; NULL = never */
    void *ctx;
} sdw_convert_options;

typedef struct sdw_convert_result {
    const char *family;      /* static */
    int tensors;             /* of the file */
    uint64_t bytes;          /* of weights */
} sdw_convert_result;

/* The file carries the configurations too (SDW_CARRIED_KEY), so that it loads as what it was; tokenizers it cannot
 * carry. SDW_NOT_FOUND or SDW_FORMAT for a model that would not load, SDW_NUMERIC for a value that the type cannot hold,
 * SDW_EXISTS, SDW_CANCELLED, SDW_IO. Nothing is left behind then. warnings may be NULL. */
sdw_status sdw_convert(const sdw_convert_options *o, sdw_convert_result *ret, sdw_warnings *warnings, sdw_error *err);

#endif
