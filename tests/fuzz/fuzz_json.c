/* Any bytes through the JSON guards; what passes has no key twice and can be walked to its depth limit. */
#include <stdint.h>
#include <stdlib.h>

#include "core/json.h"

#define DEPTH 16

static int depth_of(yyjson_val *v)
{
    int deepest = 0;
    yyjson_arr_iter items = yyjson_arr_iter_with(v);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&items));) {
        int d = depth_of(item);
        if (d > deepest) deepest = d;
    }
    yyjson_obj_iter rows = yyjson_obj_iter_with(v);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&rows));) {
        yyjson_val *item = yyjson_obj_iter_get_val(key);
        /* A lookup finds the first such key: another one would hide behind it. */
        if (yyjson_obj_getn(v, yyjson_get_str(key), yyjson_get_len(key)) != item) abort();
        int d = depth_of(item);
        if (d > deepest) deepest = d;
    }
    return yyjson_is_ctn(v) ? deepest + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sdw_json_limits limits = { .bytes_max = 1 << 16, .depth_max = DEPTH };
    yyjson_doc *doc = NULL;
    sdw_error err = { 0 };
    sdw_status s = sdw_json_parse((const char *)data, size, "fuzz", &limits, &doc, &err);
    if ((s == SDW_OK) != (doc != NULL) || (s != SDW_OK && !err.text[0])) abort();
    if (doc && depth_of(yyjson_doc_get_root(doc)) > DEPTH) abort();
    yyjson_doc_free(doc);
    return 0;
}
