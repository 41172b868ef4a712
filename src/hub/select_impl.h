/* select_impl.h - what select.c and select_weights.c share. Internal. */
#ifndef SDW_HUB_SELECT_IMPL_H
#define SDW_HUB_SELECT_IMPL_H

#include "hub/select.h"

/* Components with weights of the variant, and without. */
typedef struct sdw_hub_weights_tally {
    const char *variant;   /* looked for first */
    int with, without;
    char example[SDW_HUB_FILE_SIZE]; /* a component without */
} sdw_hub_weights_tally;

/* Letters, digits, '_' and '-': it becomes part of file names. */
sdw_status sdw_hub_check_variant(const char *variant, sdw_error *err);
/* Adds the weights of a component, and the index of its shards. */
sdw_status sdw_hub_add_weights(const sdw_hub_listing *l, const char *folder, bool diffusers, sdw_hub_weights_tally *tally,
                               sdw_hub_selection *to, sdw_error *err);

sdw_status sdw_hub_selection_add(sdw_hub_selection *s, const sdw_hub_entry *e, sdw_error *err);
/* folder/name in the listing; NULL if absent. */
const sdw_hub_entry *sdw_hub_listed(const sdw_hub_listing *l, const char *folder, const char *name);
/* The name of a file that lies directly in the folder; NULL for others. */
const char *sdw_hub_name_in(const sdw_hub_entry *e, const char *folder);

#endif
