/* select.h - which files of a repository a pipeline needs, and no others. Pure: from a listing and the text of
 * model_index.json to a list; nothing is read or fetched here.
 *
 * Never chosen: pickles, code, onnx, flax, openvino, files outside the components' folders. Per component the variant's
 * files where it has them, else the plain ones; a single file before shards. */
#ifndef SDW_HUB_SELECT_H
#define SDW_HUB_SELECT_H

#include "core/warn.h"
#include "hub/listing.h"

#define SDW_HUB_VARIANT_MAX 32

typedef struct sdw_hub_select_options {
    const char *variant;       /* insisted on: at least one component must have it; NULL = fp16 where there is one */
    bool safety_checker;       /* the safety checker and its feature extractor too */
} sdw_hub_select_options;

/* Entries are borrowed from the listing and sorted by path. Zeroed is empty. */
typedef struct sdw_hub_selection {
    const sdw_hub_entry **files; /* owned list */
    size_t count, capacity;
    uint64_t bytes;              /* sum of the sizes */
} sdw_hub_selection;

/* model_index is the root of model_index.json; NULL if the listing has none: then the repository is an add-on, and its
 * one .safetensors file is chosen (pytorch_lora_weights or learned_embeds by name).
 * SDW_UNSUPPORTED: remote code, a foreign pipeline, pickles only. SDW_NOT_FOUND: something that is needed is not listed
 * (the message names it), or no component has the variant. SDW_INVALID: several candidates. warnings may be NULL. */
sdw_status sdw_hub_select(const sdw_hub_listing *l, yyjson_val *model_index, const sdw_hub_select_options *o,
                          sdw_hub_selection *ret, sdw_warnings *warnings, sdw_error *err);
void sdw_hub_selection_finish(sdw_hub_selection *s);

/* Is it an index of shards (…safetensors.index….json)? */
bool sdw_hub_is_shard_index(const char *path);
/* Every value of the index's weight_map must be a plain name and stand, in the folder of `index_path`, in the
 * selection. SDW_FORMAT or SDW_NOT_FOUND. */
sdw_status sdw_hub_check_shards(const sdw_hub_selection *s, const char *index_path, yyjson_val *index, sdw_error *err);

#endif
