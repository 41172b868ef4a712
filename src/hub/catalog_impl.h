/* catalog_impl.h - what the files catalog*.c share. Internal. */
#ifndef SDW_HUB_CATALOG_IMPL_H
#define SDW_HUB_CATALOG_IMPL_H

#include "hub/catalog.h"

/* Ending of a file that is being fetched. */
#define SDW_CATALOG_PARTIAL ".sdw.incomplete"

/* Does path lie strictly below root, links resolved? Then ret_rest is the way from there. */
bool sdw_catalog_below(const char *root, const char *path, char ret_rest[SDW_HUB_PATH_MAX]);
/* Appends an entry with copies of name and path. *ret points into the catalog, valid until the next one is added. */
sdw_status sdw_catalog_add(sdw_catalog *c, sdw_catalog_place place, const char *name, const char *path, sdw_catalog_entry **ret,
                           sdw_error *err);
/* Keeps the sentence of `why` as the entry's problem. */
sdw_status sdw_catalog_set_problem(sdw_catalog_entry *e, sdw_catalog_state state, const char *why, sdw_error *err);

/* Is it a folder in diffusers layout? */
bool sdw_catalog_is_folder_model(const char *path);
bool sdw_catalog_ends_with(const char *text, const char *end);
/* The models in a snapshot: itself, or single files in it. Entries have id and commit; described if asked for. */
sdw_status sdw_catalog_add_snapshot(const sdw_catalog_places *places, const char *id, const char *commit, bool describe,
                                    sdw_catalog *c, sdw_error *err);

#endif
