/* resolve.h - from the name of a model to where it lies: the one way in for everything that takes --model. In this order:
 *   1. a path that exists
 *   2. $SD_MODEL_... of an alias
 *   3. ~/.cache/rbee/models/ORG/NAME, ORG-NAME or NAME
 *   4. a complete snapshot in the cache
 *   5. the hub, unless offline: fetched into the cache
 * An alias stands for its repositories, tried in their order in each step. No request is made by steps 1 to 4. */
#ifndef SDW_HUB_RESOLVE_H
#define SDW_HUB_RESOLVE_H

#include "hub/cache.h"
#include "hub/hooks.h"
#include "hub/settings.h"

typedef struct sdw_hub_model {
    const char *name;       /* path, alias, ORG/NAME[@REVISION], or an address of the hub */
    const char *variant;    /* of weights, insisted on; NULL = any */
    bool local;             /* make no request, whatever is missing */
} sdw_hub_model;

/* Is it a path rather than a name: by its beginning, its ending or its number of slashes? Such a one that does not exist
 * is nothing else either. */
bool sdw_hub_is_path(const char *name);

/* *ret_path: a folder in diffusers layout or a .safetensors file; a path comes back as it is, also if nothing lies there
 * (whoever opens it says so). SDW_NOT_FOUND lists the places that were tried. hooks may be NULL. */
sdw_status sdw_hub_resolve(const sdw_hub_settings *s, const sdw_hub_model *m, const sdw_hub_hooks *hooks,
                           char ret_path[SDW_HUB_PATH_MAX], sdw_error *err);

#endif
