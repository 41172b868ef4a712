/* mapping.h - a whole file, read-only in memory. */
#ifndef SDW_IO_MAPPING_H
#define SDW_IO_MAPPING_H

#include <stddef.h>

#include "core/status.h"

/* Caller's storage; a zeroed struct is a valid empty one. Reading is thread-safe. */
typedef struct sdw_mapping {
    const unsigned char *data; /* unmapped by finish */
    size_t size;
} sdw_mapping;

/* Maps the file; pages come in when touched. An empty file, a folder and a device are SDW_FORMAT. The file must not be
 * truncated while it is mapped: touching what is gone kills the process (files are replaced by renaming, which is
 * safe). */
sdw_status sdw_mapping_open(const char *path, sdw_mapping *ret, sdw_error *err);
/* Tells the kernel that the pages of these mapped bytes are not needed now; they stay readable and are read from the
 * file again when touched. The range is widened to whole pages: neighbours lose nothing but time. Only for mapped
 * files: heap memory would be zeroed. */
void sdw_mapping_release(const void *data, size_t bytes);
void sdw_mapping_close(sdw_mapping *m);

#endif
