/* listed.h - the tensors of a whole model as a file that we write has them: beside each canonical name the name, the
 * shape and the form in the file. The weight walk makes the list, from configurations alone. One owner. */
#ifndef SDW_MODEL_LISTED_H
#define SDW_MODEL_LISTED_H

#include "core/arena.h"
#include "core/json.h"
#include "io/ldm_out.h"
#include "model/model_files.h"

/* How the tensors of a file are called. */
typedef enum sdw_naming {
    SDW_NAMING_PART,      /* one file per part, as in a diffusers folder */
    SDW_NAMING_DIFFUSERS, /* one file: diffusers names behind the part's: "unet.conv_in.weight" */
    SDW_NAMING_LDM        /* one file in the original layout: "model.diffusion_model.input_blocks.0.0.weight" */
} sdw_naming;

typedef struct sdw_listed_tensor {
    const char *name;      /* canonical */
    const char *file_name; /* NULL: it lies within another tensor of the file (k and v behind q) */
    int rank;              /* as in the file */
    int64_t shape[4];
    sdw_ldm_shape form;    /* what was done to the canonical tensor */
    struct sdw_listed_tensor *next;
} sdw_listed_tensor;

typedef struct sdw_listed_part {
    const char *name;      /* "unet"; NULL = the model has no such part */
    yyjson_val *config;    /* borrowed */
    sdw_listed_tensor *first, **last;
} sdw_listed_part;

typedef struct sdw_listed {
    sdw_arena arena;       /* all rows and names */
    sdw_listed_part part[SDW_PART_COUNT];
} sdw_listed;

/* Lists a part under canonical names. Zero-initialise l; name and config must outlive it. */
sdw_status sdw_listed_add(sdw_listed *l, sdw_part_id id, const char *name, yyjson_val *config, sdw_error *err);
/* Gives every tensor its name and shape in the file; once, after all parts were added. */
sdw_status sdw_listed_rename(sdw_listed *l, sdw_naming naming, sdw_error *err);
void sdw_listed_finish(sdw_listed *l);

#endif
