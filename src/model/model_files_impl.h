/* model_files_impl.h - what the files model_files*.c share. Internal. */
#ifndef SDW_MODEL_MODEL_FILES_IMPL_H
#define SDW_MODEL_MODEL_FILES_IMPL_H

#include "model/model_files.h"

typedef struct sdw_model_files_impl {
    sdw_model_files pub; /* first: the caller's pointer is ours */
    yyjson_doc *index_doc, *scheduler_doc, *config_doc[SDW_PART_COUNT];
    /* Mapped files under the names they were written with: one per part of a folder, or [0] for a single file. Parts
     * whose names need no change have theirs as weights too. */
    sdw_checkpoint *base[SDW_PART_COUNT];
    bool force_zeros_given;
} sdw_model_files_impl;

/* "a/b" or "a/b/c" (name NULL: two parts); sdw_free. NULL only without memory. */
char *sdw_model_path_join(const char *folder, const char *part, const char *name);

/* Reads model_index.json, the configurations and the scheduler of a diffusers folder, finds its tokenizers and its
 * family. Opens no weights. */
sdw_status sdw_model_folder_read(sdw_model_files_impl *m, const char *folder, sdw_warnings *warnings, sdw_error *err);
/* Reads what a single file carries about itself: {"model_index":{...},"unet":{...},...,"scheduler":{...}} under the key
 * SDW_CARRIED_KEY of its metadata. */
sdw_status sdw_model_carried_read(sdw_model_files_impl *m, const char *text, sdw_error *err);
/* Opens the weights of the parts that are present. */
sdw_status sdw_model_folder_open_weights(sdw_model_files_impl *m, const char *folder, const char *variant, sdw_warnings *warnings,
                                         sdw_error *err);
/* Path of a part's weights (plain, sharded, fp16, or the variant insisted on); *ret: sdw_free. Passes over Git LFS
 * pointers, with a warning, where something else is there. */
sdw_status sdw_model_weights_path(const char *folder, const char *part, const char *variant, char **ret, sdw_warnings *warnings,
                                  sdw_error *err);

#endif
