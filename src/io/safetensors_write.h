/* safetensors_write.h - writing a .safetensors file piece by piece, so that a model of any size passes through a small
 * buffer. Declare every tensor, begin, write the bytes of all tensors in the order of their declaration (in pieces of
 * any size), commit. The file appears under its name only at commit, complete. One owner. */
#ifndef SDW_IO_SAFETENSORS_WRITE_H
#define SDW_IO_SAFETENSORS_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"

typedef struct sdw_safetensors_writer sdw_safetensors_writer;

/* SDW_EXISTS if path is there already and replace is false. */
sdw_status sdw_safetensors_writer_open(const char *path, bool replace, sdw_safetensors_writer **ret, sdw_error *err);
/* name and shape are copied. SDW_INVALID for a rank outside 0..SDW_RANK_MAX, a negative dimension or a bad name. */
sdw_status sdw_safetensors_writer_declare(sdw_safetensors_writer *w, const char *name, sdw_dtype dtype, int rank,
                                          const int64_t *shape, sdw_error *err);
/* A text of the header's __metadata__; both are copied. */
sdw_status sdw_safetensors_writer_metadata(sdw_safetensors_writer *w, const char *key, const char *value, sdw_error *err);
/* Creates the temporary file and writes the header. Nothing can be declared after this. Twice the same name is
 * SDW_INVALID. */
sdw_status sdw_safetensors_writer_begin(sdw_safetensors_writer *w, sdw_error *err);
sdw_status sdw_safetensors_writer_write(sdw_safetensors_writer *w, const void *data, size_t bytes, sdw_error *err);
/* Bytes of all declared tensors, header not counted. */
uint64_t sdw_safetensors_writer_data_bytes(const sdw_safetensors_writer *w);
/* SDW_INVALID unless exactly the declared bytes were written. Flushes to the disk, then renames. */
sdw_status sdw_safetensors_writer_commit(sdw_safetensors_writer *w, sdw_error *err);
/* Accepts NULL. Without a commit nothing is left behind. */
void sdw_safetensors_writer_close(sdw_safetensors_writer *w);

#endif
