/* model_hashes.h - the SHA-256 of checkpoints, for those who tell models apart by it. Of a folder it is that of its UNet or
 * transformer. A file of the hub's cache has it as its blob's name; others are read once, one after the other, by a
 * thread of low priority that begins when somebody asks. Any thread; nothing here waits for that one. */
#ifndef SDW_SERVER_MODEL_HASHES_H
#define SDW_SERVER_MODEL_HASHES_H

#include <stdbool.h>

#include "core/digest.h"

typedef struct sdw_model_hashes sdw_model_hashes;

sdw_model_hashes *sdw_model_hashes_create(void); /* NULL without memory */
/* Ends the thread within a read of 1 MiB. NULL is accepted. */
void sdw_model_hashes_free(sdw_model_hashes *h);

/* The model `id` lies there: a folder in diffusers layout or a file. Looks at the disk; a file that has changed since is
 * read again. Does nothing without memory. */
void sdw_model_hashes_note(sdw_model_hashes *h, const char *id, const char *path);
/* From now on unknown ones are computed. */
void sdw_model_hashes_want(sdw_model_hashes *h);
/* False: not known, or not yet. */
bool sdw_model_hashes_get(sdw_model_hashes *h, const char *id, char ret_hex[SDW_DIGEST_HEX_SIZE]);

#endif
