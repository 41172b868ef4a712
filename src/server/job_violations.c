/* job_violations.c - see job_violations.h. */
#include "server/job_violations.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/json_out.h"

#define VALUE_MAX 60

static sdw_violation *add(sdw_job_body *b, const char *key, const char *constraint, const char *message)
{
    if (!key || !constraint || !message) b->no_memory = true;
    if (b->no_memory || b->violation_count >= SDW_VIOLATIONS_MAX) return NULL;
    sdw_violation *v = &b->violations[b->violation_count++];
    *v = (sdw_violation){ .field = key, .constraint = constraint, .message = message };
    return v;
}

void sdw_violate(sdw_job_body *b, const char *key, const char *constraint, const char *value, const char *format, ...)
{
    char text[SDW_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sdw_violation *v = add(b, key, sdw_arena_strdup(&b->arena, constraint), sdw_arena_strdup(&b->arena, text));
    if (v) v->value = value;
}

void sdw_violate_required(sdw_job_body *b, const char *key)
{
    sdw_violation *v = add(b, key, "required", sdw_arena_printf(&b->arena, "missing field `%s`", key));
    if (v) v->unparsed = true;
}

void sdw_violate_type(sdw_job_body *b, const char *key, const char *want, yyjson_val *given)
{
    const char *message = sdw_arena_printf(&b->arena, "`%s`: %s given, want %s", key,
                                           yyjson_is_null(given) ? "null" : yyjson_is_arr(given) ? "an array"
                                           : yyjson_is_obj(given) ? "an object" : yyjson_is_bool(given) ? "a boolean"
                                           : yyjson_is_str(given) ? "a string" : sdw_value_text(b, given), want);
    sdw_violation *v = add(b, key, "type", message);
    if (!v) return;
    v->unparsed = true;
    if (!yyjson_is_ctn(given) && !yyjson_is_null(given)) v->value = sdw_value_text(b, given);
}

void sdw_violate_range(sdw_job_body *b, const sdw_native_field *f, yyjson_val *given)
{
    const sdw_field *r = &f->row;
    const char *form = r->type == SDW_FIELD_REAL ? "range(%.1f..=%.1f)" : "range(%.0f..=%.0f)";
    char constraint[64], between[64];
    snprintf(constraint, sizeof constraint, form, r->min, r->max);
    snprintf(between, sizeof between, "%g and %g", r->min, r->max);
    const char *value = sdw_value_text(b, given);
    sdw_violate(b, r->name, constraint, value, "%s must be between %s, got %s", f->title,
                f->between ? f->between : between, value ? value : "");
}

static const char *choices_of(sdw_job_body *b, const sdw_field *row)
{
    sdw_buf list;
    sdw_buf_init(&list, 4096);
    sdw_choice c;
    for (size_t i = 0; sdw_field_choice(row, i, &c); i++) sdw_buf_printf(&list, "%s%s", i ? "," : "", c.name);
    const char *text = sdw_arena_printf(&b->arena, "one_of(%s)", list.size ? list.data : "");
    sdw_buf_finish(&list);
    return text;
}

void sdw_violate_choice(sdw_job_body *b, const char *key, const sdw_field *row, const char *given, const char *detail)
{
    char want[200];
    sdw_field_describe(row, want, sizeof want);
    char *value = sdw_arena_printf(&b->arena, "%.*s", VALUE_MAX, given);
    const char *message = detail ? sdw_arena_strdup(&b->arena, detail)
                                 : sdw_arena_printf(&b->arena, "%s must be %s, got %s", key, want, value ? value : "");
    sdw_violation *v = add(b, key, choices_of(b, row), message);
    if (v) v->value = value;
}

void sdw_native_describe(const sdw_native_field *f, char *text, size_t size)
{
    if (f->characters_max) snprintf(text, size, "a text of at most %d characters", f->characters_max);
    else if (f->row.type == SDW_FIELD_PICTURE) snprintf(text, size, "a PNG, JPEG or WebP picture in base64");
    else if (f->row.type == SDW_FIELD_SWITCH) snprintf(text, size, "true or false");
    else if (f->row.type == SDW_FIELD_SEED) snprintf(text, size, "a whole number from 0 to 18446744073709551615");
    else sdw_field_describe(&f->row, text, size);
}

/* The longest head of `text` of at most `max` bytes that does not cut a character. */
static int whole_characters(const char *text, size_t size, size_t max)
{
    if (size <= max) return (int)size;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80) max--;
    return (int)max;
}

const char *sdw_value_text(sdw_job_body *b, yyjson_val *v)
{
    if (yyjson_is_str(v)) {
        const char *text = yyjson_get_str(v);
        size_t size = yyjson_get_len(v);
        return sdw_arena_printf(&b->arena, "%.*s%s", whole_characters(text, size, VALUE_MAX), text,
                                size > VALUE_MAX ? "..." : "");
    }
    if (yyjson_is_uint(v)) return sdw_arena_printf(&b->arena, "%" PRIu64, yyjson_get_uint(v));
    if (yyjson_is_sint(v)) return sdw_arena_printf(&b->arena, "%" PRId64, yyjson_get_sint(v));
    if (yyjson_is_real(v)) return sdw_arena_printf(&b->arena, "%.15g", yyjson_get_real(v));
    if (yyjson_is_bool(v)) return yyjson_get_bool(v) ? "true" : "false";
    return yyjson_is_null(v) ? "null" : yyjson_get_type_desc(v);
}

bool sdw_job_body_write_error(const sdw_job_body *b, const char *code, const char *message, sdw_buf *out)
{
    sdw_json_open(out, '{');
    sdw_json_key(out, "error");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "code", code);
    sdw_json_put_text(out, "message", message);
    sdw_json_close(out, '}');
    if (b && b->violation_count) sdw_json_key(out, "errors"), sdw_json_open(out, '[');
    for (int i = 0; b && i < b->violation_count; i++) {
        const sdw_violation *v = &b->violations[i];
        sdw_json_open(out, '{');
        sdw_json_put_text(out, "field", v->field);
        sdw_json_put_text(out, "constraint", v->constraint);
        sdw_json_put_text(out, "message", v->message);
        if (v->value) sdw_json_put_text(out, "value", v->value);
        sdw_json_close(out, '}');
    }
    if (b && b->violation_count) sdw_json_close(out, ']');
    sdw_json_close(out, '}');
    return !out->failed;
}
