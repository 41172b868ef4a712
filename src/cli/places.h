/* places.h - where the commands of the catalogue look for models. */
#ifndef SDW_CLI_PLACES_H
#define SDW_CLI_PLACES_H

#include <limits.h>

#include "hub/catalog.h"
#include "hub/settings.h"

typedef struct sdw_cli_places {
    sdw_catalog_places places;   /* borrows what follows */
    sdw_hub_settings settings;
    char demo[PATH_MAX];
} sdw_cli_places;

/* The environment's cache and shared folder, and the demo model if there is one. Not to be copied. */
sdw_status sdw_cli_places_read(sdw_cli_places *ret, sdw_error *err);
void sdw_cli_places_finish(sdw_cli_places *p); /* accepts a zeroed one */

#endif
