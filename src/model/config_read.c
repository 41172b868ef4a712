/* config_read.c - typed access to a config object with sticky errors. */
#include "model/config_read.h"

#include <string.h>

static yyjson_val *get(const sdw_config_reader *r, const char *key)
{
    yyjson_val *v = r->root ? yyjson_obj_get(r->root, key) : NULL;
    return v && !yyjson_is_null(v) ? v : NULL;
}

static bool failed(const sdw_config_reader *r)
{
    return r->error.status != SDW_OK;
}

bool sdw_config_has(const sdw_config_reader *r, const char *key)
{
    return get(r, key) != NULL;
}

static int checked_int(sdw_config_reader *r, const char *key, yyjson_val *v, int fallback, int min, int max)
{
    if (yyjson_is_int(v)) {
        int64_t n = yyjson_get_sint(v);
        if (n >= min && n <= max) return (int)n;
        if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is %lld, want %d..%d", r->what, key, (long long)n, min, max);
    } else if (!failed(r)) {
        sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is a %s, want an integer %d..%d", r->what, key, yyjson_get_type_desc(v), min, max);
    }
    return fallback;
}

int sdw_config_int(sdw_config_reader *r, const char *key, int fallback, int min, int max)
{
    yyjson_val *v = get(r, key);
    return v ? checked_int(r, key, v, fallback, min, max) : fallback;
}

double sdw_config_real(sdw_config_reader *r, const char *key, double fallback)
{
    yyjson_val *v = get(r, key);
    if (!v) return fallback;
    if (yyjson_is_num(v)) return yyjson_get_num(v);
    if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is a %s, want a number", r->what, key, yyjson_get_type_desc(v));
    return fallback;
}

bool sdw_config_bool(sdw_config_reader *r, const char *key, bool fallback)
{
    yyjson_val *v = get(r, key);
    if (!v) return fallback;
    if (yyjson_is_bool(v)) return yyjson_get_bool(v);
    if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is a %s, want true or false", r->what, key, yyjson_get_type_desc(v));
    return fallback;
}

const char *sdw_config_text(sdw_config_reader *r, const char *key, const char *fallback)
{
    yyjson_val *v = get(r, key);
    if (!v) return fallback;
    if (yyjson_is_str(v)) return yyjson_get_str(v);
    if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is a %s, want a text", r->what, key, yyjson_get_type_desc(v));
    return fallback;
}

int sdw_config_length(sdw_config_reader *r, const char *key, int max)
{
    yyjson_val *v = get(r, key);
    if (!v) return -1;
    size_t n = yyjson_arr_size(v);
    if (yyjson_is_arr(v) && n >= 1 && n <= (size_t)max) return (int)n;
    if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" is no list of 1..%d entries", r->what, key, max);
    return 0;
}

const char *sdw_config_text_at(sdw_config_reader *r, const char *key, int index, const char *fallback)
{
    yyjson_val *v = get(r, key);
    if (!v) return fallback;
    const char *text = yyjson_get_str(yyjson_arr_get(v, (size_t)index));
    if (text) return text;
    if (!failed(r)) sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" entry %d is missing or no text", r->what, key, index);
    return fallback;
}

void sdw_config_ints(sdw_config_reader *r, const char *key, int fallback, int count, int min, int max, int *ret)
{
    yyjson_val *v = get(r, key);
    for (int i = 0; i < count; i++) ret[i] = fallback;
    if (!v) return;
    if (!yyjson_is_arr(v)) {
        int n = checked_int(r, key, v, fallback, min, max);
        for (int i = 0; i < count; i++) ret[i] = n;
        return;
    }
    if (yyjson_arr_size(v) != (size_t)count) {
        if (!failed(r))
            sdw_fail(&r->error, SDW_FORMAT, "%s: \"%s\" has %zu entries, want %d", r->what, key, yyjson_arr_size(v), count);
        return;
    }
    for (int i = 0; i < count; i++) ret[i] = checked_int(r, key, yyjson_arr_get(v, (size_t)i), fallback, min, max);
}

void sdw_config_require_text(sdw_config_reader *r, const char *key, const char *only)
{
    const char *text = sdw_config_text(r, key, only);
    if (strcmp(text, only) != 0 && !failed(r))
        sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"%s\" is \"%s\", only \"%s\" is supported", r->what, key, text, only);
}

void sdw_config_refuse(sdw_config_reader *r, const char *key)
{
    yyjson_val *v = get(r, key);
    if (v && !yyjson_is_false(v) && !failed(r))
        sdw_fail(&r->error, SDW_UNSUPPORTED, "%s: \"%s\" is set, which is not supported", r->what, key);
}

sdw_status sdw_config_finish(const sdw_config_reader *r, sdw_error *err)
{
    if (failed(r) && err) *err = r->error;
    return r->error.status;
}
