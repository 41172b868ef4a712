/* folders.h - small things with files and folders that cache, lock and download share. */
#ifndef SDW_HUB_FOLDERS_H
#define SDW_HUB_FOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Makes every missing folder above `path` (which is a file's), mode 0777 less the umask. */
sdw_status sdw_hub_make_parents(const char *path, sdw_error *err);
/* Writes a file as a whole: beside it, then renamed over it. Makes missing folders. */
sdw_status sdw_hub_write_file(const char *path, const void *data, size_t size, sdw_error *err);
/* Bytes that an ordinary user may still write where `path` lies, or will lie. */
sdw_status sdw_hub_free_bytes(const char *path, uint64_t *ret, sdw_error *err);

/* Size of a file; 0 if there is none. */
uint64_t sdw_hub_file_bytes(const char *path);

/* The names in a folder, sorted, without "." and "..". Zeroed is empty. */
typedef struct sdw_hub_dir {
    char **names; /* owned, each */
    size_t count;
} sdw_hub_dir;

/* A folder that does not exist is an empty one. SDW_LIMIT past 1,000,000 names. */
sdw_status sdw_hub_dir_read(const char *folder, sdw_hub_dir *ret, sdw_error *err);
void sdw_hub_dir_finish(sdw_hub_dir *d);

#endif
