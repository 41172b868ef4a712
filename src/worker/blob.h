/* blob.h - bytes that several hold and nobody changes; see sdw/worker.h for reading and releasing. Any thread. */
#ifndef SDW_WORKER_BLOB_H
#define SDW_WORKER_BLOB_H

#include "sdw/worker.h"

/* Takes over `data` (of sdw_malloc), also on failure; NULL without memory. One holder: the caller. */
sdw_blob *sdw_blob_take(void *data, size_t size);
/* Copies. */
sdw_blob *sdw_blob_copy(const void *data, size_t size);

#endif
