/* checkpoint.h - named tensors of one or several safetensors files, mapped, under the names that the model code uses.
 *
 * A checkpoint is a table sorted by name. Rows point into mapped files; nothing is copied. Renaming (LDM to diffusers,
 * OpenCLIP to Hugging Face) makes new rows over the same bytes: a slice of rows of a fused q|k|v matrix is a pointer
 * further in, a matrix stored the other way round is marked `transposed`. One owner; reading is thread-safe. */
#ifndef SDW_IO_CHECKPOINT_H
#define SDW_IO_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"

#define SDW_RANK_MAX 8

typedef struct sdw_file_tensor {
    const char *name;        /* canonical name within its part, such as "down_blocks.0.resnets.0.conv1.weight" */
    const char *source_name; /* name in the file, for messages */
    sdw_dtype dtype;
    int rank;                /* 0 for scalars */
    int64_t shape[SDW_RANK_MAX]; /* as the model wants it, that is after `transposed` */
    bool transposed;         /* rank 2: stored as shape[1] x shape[0] */
    const void *data;        /* mapped; dtype-size * elements bytes; no alignment promised */
    size_t bytes;
    bool used;               /* set by whoever binds it; what stays false is warned about */
} sdw_file_tensor;

typedef struct sdw_checkpoint sdw_checkpoint;

/* Opens one .safetensors file, or a *.safetensors.index.json with its shards (which must lie in the same folder).
 * Refuses, naming the file: LFS pointers, pickles (with advice), damaged headers, overlapping or out-of-range
 * offsets, duplicate names, unknown dtypes. */
sdw_status sdw_checkpoint_open(const char *path, sdw_checkpoint **ret, sdw_error *err);
/* A view with other names over `base`, which must outlive it (see ldm_names.h for who makes them). */
void sdw_checkpoint_close(sdw_checkpoint *c); /* accepts NULL; unmaps */

size_t sdw_checkpoint_count(const sdw_checkpoint *c);
sdw_file_tensor *sdw_checkpoint_at(sdw_checkpoint *c, size_t index); /* sorted by name */
/* NULL if absent. O(log n). */
sdw_file_tensor *sdw_checkpoint_find(const sdw_checkpoint *c, const char *name);
/* Value of a key of the header's __metadata__; NULL if absent. */
const char *sdw_checkpoint_metadata(const sdw_checkpoint *c, const char *key);
const char *sdw_checkpoint_path(const sdw_checkpoint *c);
/* Tells the kernel that these mapped bytes are not needed in memory any more (they stay readable). */
void sdw_file_tensor_release(const sdw_file_tensor *t);
/* Widens the whole tensor to f32 in the model's orientation (transposes if need be). dst: elements of shape. */
void sdw_file_tensor_read_f32(const sdw_file_tensor *t, float *dst);

#endif
