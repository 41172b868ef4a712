/* pull_file.h - one content: from the hub into blobs/, and from there into the snapshot. */
#ifndef SDW_HUB_PULL_FILE_H
#define SDW_HUB_PULL_FILE_H

#include "hub/fetch.h"
#include "hub/plan.h"

/* Blocks while another process fetches the same content. moved and ctx as in fetch.h; `there` may fall when a file is
 * begun anew. */
sdw_status sdw_hub_pull_file(sdw_hub_client *c, const sdw_hub_plan *plan, const sdw_hub_task *task, sdw_hub_moved_fn *moved, void *ctx,
                             sdw_error *err);

/* Is the file a safetensors file whose header fits it? SDW_OK for other endings. */
sdw_status sdw_hub_check_weights(const char *path, const char *name, sdw_error *err);
/* SDW_IO with both numbers if fewer than `bytes` are free where path lies. */
sdw_status sdw_hub_check_space(const char *path, uint64_t bytes, sdw_error *err);

#endif
