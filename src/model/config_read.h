/* config_read.h - reading a part's config.json: every key has the published default, every wrong value one error.
 * The first failure sticks in the reader and is returned by sdw_config_finish. */
#ifndef SDW_MODEL_CONFIG_READ_H
#define SDW_MODEL_CONFIG_READ_H

#include <stdbool.h>

#include "core/json.h"

typedef struct sdw_config_reader {
    yyjson_val *root;  /* object, or NULL: all defaults */
    const char *what;  /* "unet/config.json" */
    sdw_error error;
} sdw_config_reader;

int sdw_config_int(sdw_config_reader *r, const char *key, int fallback, int min, int max);
double sdw_config_real(sdw_config_reader *r, const char *key, double fallback);
bool sdw_config_bool(sdw_config_reader *r, const char *key, bool fallback);
/* Text of a key; fallback if absent or null. Owned by the document. */
const char *sdw_config_text(sdw_config_reader *r, const char *key, const char *fallback);
/* A number or a list of numbers: fills all `count` entries (one number: each the same). Absent or null: fallback. */
void sdw_config_ints(sdw_config_reader *r, const char *key, int fallback, int count, int min, int max, int *ret);
/* Length of a list; -1 if absent or null, 0 with an error if it is no list or longer than max. */
int sdw_config_length(sdw_config_reader *r, const char *key, int max);
const char *sdw_config_text_at(sdw_config_reader *r, const char *key, int index, const char *fallback);
/* Is the key there with a value other than null? */
bool sdw_config_has(const sdw_config_reader *r, const char *key);
/* SDW_UNSUPPORTED unless the text of key (or its fallback) is `only`. */
void sdw_config_require_text(sdw_config_reader *r, const char *key, const char *only);
/* SDW_UNSUPPORTED if the key is there and neither null nor false. */
void sdw_config_refuse(sdw_config_reader *r, const char *key);
sdw_status sdw_config_finish(const sdw_config_reader *r, sdw_error *err);

#endif
