/* ldm_file.h - test files in LDM naming with the shapes of the published models and no bytes on the disk: the data of
 * a sparse file reads as zeros. The names are made in the direction that conversion scripts document (diffusers to LDM)
 * and the shapes come from the weight walk, so a file is an independent check of the views, which go the other way. */
#ifndef TESTS_MODEL_LDM_FILE_H
#define TESTS_MODEL_LDM_FILE_H

#include <stdbool.h>

#include "model/family.h"

typedef struct ldm_options {
    const char *drop;     /* a name to leave out, NULL = none */
    const char *extra;    /* a further tensor, NULL = none */
    bool no_text_model;   /* Hugging Face names without "text_model." */
    bool training_extras; /* averaged copies, noise tables, position_ids, logit_scale */
    int conv_in_channels; /* 0 = as published */
} ldm_options;

/* Writes the file of a family; tests fail inside. */
void ldm_file_write(const char *path, const sdw_family *family, const ldm_options *options);

#endif
