/* params_copy.h - a request that owns its texts and pictures; by the field table, so a new field needs nothing here. */
#ifndef SDW_WORKER_PARAMS_COPY_H
#define SDW_WORKER_PARAMS_COPY_H

#include "sdw/sdw.h"

/* *ret is finished by the call below, also after a failure. *ret_bytes: of texts and pictures. Any thread. */
sdw_status sdw_params_copy(const sdw_params *p, sdw_params *ret, size_t *ret_bytes, sdw_error *err);
void sdw_params_finish(sdw_params *p); /* accepts a zeroed one */

#endif
