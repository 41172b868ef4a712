/* random_model.h - full-size models with random weights: for benches, memory tests and loading tests, never for
 * pictures. Values have a spread that keeps activations finite through the whole model. */
#ifndef SDW_ORACLE_RANDOM_MODEL_H
#define SDW_ORACLE_RANDOM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"

typedef struct sdw_random_model_options {
    const char *family;   /* name of a family: "sd15", "sdxl-inpaint" ... */
    sdw_dtype dtype;      /* F32, F16 or BF16 */
    const char *output;   /* a name ending in .safetensors: one file in LDM naming; else a folder in diffusers layout */
    uint64_t seed;
    bool replace;         /* overwrite files that exist */
} sdw_random_model_options;

/* Writes configs, scheduler and weights; no tokenizers, so that the built-in vocabulary is used. *ret_parameters (may be
 * NULL): values written. SDW_INVALID with the list of families for an unknown one; SDW_EXISTS; SDW_IO. */
sdw_status sdw_random_model_write(const sdw_random_model_options *o, int64_t *ret_parameters, sdw_error *err);

#endif
