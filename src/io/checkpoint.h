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

#define SDW_VIEW_NAME_MAX 640

/* What becomes of one tensor of a file in a view. `name` is its canonical name; with parts = 3 there are three names,
 * and the tensor's rows are shared out evenly, in order. Zeroed by the caller. */
typedef struct sdw_view_row {
    char name[3][SDW_VIEW_NAME_MAX];
    int parts;       /* 0 = not in this view, else 1 or 3 */
    bool transposed; /* of a matrix: the view has its transpose */
    bool known;      /* parts 0: belongs here and is rightly left out; nobody is warned of it */
} sdw_view_row;

typedef void sdw_view_fn(const void *ctx, const sdw_file_tensor *source, sdw_view_row *ret_row);

/* A view with other names over the bytes of `base`, which must outlive it; ldm_names.h and clip_names.h make them.
 * Marks the rows of base that are in the view, or known, as used: what stays unused in base belongs to nobody. Two
 * tensors with one canonical name are SDW_FORMAT. */
sdw_status sdw_checkpoint_view(sdw_checkpoint *base, sdw_view_fn *fn, const void *ctx, sdw_checkpoint **ret,
                               sdw_error *err);
void sdw_checkpoint_close(sdw_checkpoint *c); /* accepts NULL; unmaps */

size_t sdw_checkpoint_count(const sdw_checkpoint *c);
sdw_file_tensor *sdw_checkpoint_at(const sdw_checkpoint *c, size_t index); /* sorted by name */
/* NULL if absent. O(log n). */
sdw_file_tensor *sdw_checkpoint_find(const sdw_checkpoint *c, const char *name);
/* Value of a key of the header's __metadata__; NULL if absent. */
const char *sdw_checkpoint_metadata(const sdw_checkpoint *c, const char *key);
const char *sdw_checkpoint_path(const sdw_checkpoint *c);
/* Tells the kernel that these mapped bytes are not needed in memory any more (they stay readable). Only data and bytes
 * are looked at; data must lie in a mapped file. */
void sdw_file_tensor_release(const sdw_file_tensor *t);
/* The same for all bytes of a checkpoint's own files; a view has none. */
void sdw_checkpoint_release(const sdw_checkpoint *c);
/* Widens the whole tensor to f32 in the model's orientation (transposes if need be). dst: elements of shape.
 * The dtype must be one of a weight (sdw_dtype_is_weight). */
void sdw_file_tensor_read_f32(const sdw_file_tensor *t, float *dst);

#endif
