/* walk.h - lists every tensor that a part of a model must have, from its configuration alone. */
#ifndef SDW_MODEL_WALK_H
#define SDW_MODEL_WALK_H

#include "core/json.h"
#include "model/binder.h"
#include "model/model_files.h"

typedef struct sdw_walk_totals {
    int tensors;
    int64_t parameters;
} sdw_walk_totals;

/* Calls item once per tensor (canonical name, published shape). config: root object of the part's config.json, NULL =
 * all defaults. item and ret_totals may be NULL. */
sdw_status sdw_model_walk(sdw_part_id part, yyjson_val *config, const char *what, sdw_binder_item_fn *item, void *ctx,
                          sdw_walk_totals *ret_totals, sdw_error *err);

#endif
