/* pull.h - a model, or one file, from the hub into the cache. */
#ifndef SDW_HUB_PULL_H
#define SDW_HUB_PULL_H

#include "hub/hooks.h"
#include "hub/plan.h"

/* Fetches what the plan says is missing, several files at once, and ends with refs/REVISION. Every file gets its final
 * name only after its hash was checked; what is not finished stays as a partial file for the next call. The hooks are
 * called on the calling thread only, but for `wait`. SDW_OK: plan->path is complete. */
sdw_status sdw_hub_pull_plan(const sdw_hub_settings *settings, const sdw_hub_plan *plan, const sdw_hub_hooks *hooks, sdw_error *err);

/* Plan and pull. *ret_path is the model: a snapshot's folder, or a file. ret_kind may be NULL. */
sdw_status sdw_hub_pull(const sdw_hub_settings *settings, const sdw_hub_wish *w, const sdw_hub_hooks *hooks,
                        char ret_path[SDW_HUB_PATH_MAX], sdw_hub_kind *ret_kind, sdw_error *err);

#endif
