/* safetensors.h - the header of a .safetensors file: 8 bytes little-endian length, that many bytes of JSON, data.
 * The format: https://github.com/huggingface/safetensors (README, "Format"). */
#ifndef SDW_IO_SAFETENSORS_H
#define SDW_IO_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/json.h"
#include "io/checkpoint.h"

/* Longest name of a tensor, in bytes; the longest we know has some 120. */
#define SDW_LIMIT_TENSOR_NAME 512

typedef struct sdw_safetensors_entry {
    const char *name; /* owned by the header */
    sdw_dtype dtype;
    int rank;
    int64_t shape[SDW_RANK_MAX];
    size_t begin, bytes; /* begin: from the start of the file */
} sdw_safetensors_entry;

/* Caller's storage; a zeroed struct is a valid empty one. */
typedef struct sdw_safetensors {
    yyjson_doc *doc;                /* owned; names and metadata live here */
    yyjson_val *metadata;           /* object of strings; NULL if the file has none */
    sdw_safetensors_entry *entries; /* owned; sorted by begin */
    size_t count;
} sdw_safetensors;

/* Reads the header of a file of `size` bytes (the whole file must be readable; only the header is read). `path` is for
 * messages. Refused: what is no safetensors file (an LFS pointer, a pickle and the like are named, with advice), a
 * length beyond the file or the limit, duplicate names, unknown dtypes, shapes that do not match their bytes, and data
 * ranges that overlap, leave holes or do not end with the file. Tensors without elements are fine. */
sdw_status sdw_safetensors_parse(const void *file, size_t size, const char *path, sdw_safetensors *ret, sdw_error *err);
void sdw_safetensors_finish(sdw_safetensors *h);

#endif
