/* api_shape.c - see api_shape.h. */
#include "server/api_shape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TYPE_MAX 160

/* The word without what stands behind it. */
static size_t word_length(const char *type)
{
    return strcspn(type, "[|");
}

static void put_enum(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *list)
{
    yyjson_mut_val *names = yyjson_mut_obj_add_arr(doc, schema, "enum");
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        yyjson_mut_arr_add_strncpy(doc, names, list, n);
    }
}

static void put_word(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *word)
{
    char where[TYPE_MAX + 32];
    if (*word == '=') {
        yyjson_mut_obj_add_str(doc, schema, "type", "string");
        put_enum(doc, schema, word + 1);
    } else if (*word >= 'A' && *word <= 'Z') {
        snprintf(where, sizeof where, "#/components/schemas/%s", word);
        yyjson_mut_obj_add_strcpy(doc, schema, "$ref", where);
    } else if (!strcmp(word, "seed")) {
        yyjson_mut_obj_add_str(doc, schema, "type", "integer");
        yyjson_mut_obj_add_int(doc, schema, "minimum", 0);
        yyjson_mut_obj_add_uint(doc, schema, "maximum", UINT64_MAX);
    } else if (strcmp(word, "any") != 0) {
        yyjson_mut_obj_add_strcpy(doc, schema, "type", word);
    }
}

static void put_type(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *type);

/* `size` characters of type are the items. */
static void put_array(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *type, size_t size)
{
    char items[TYPE_MAX];
    int count = 0;
    snprintf(items, sizeof items, "%.*s", (int)size, type);
    yyjson_mut_obj_add_str(doc, schema, "type", "array");
    put_type(doc, yyjson_mut_obj_add_obj(doc, schema, "items"), items);
    if (sscanf(type + size, "[%d]", &count) != 1) return;
    yyjson_mut_obj_add_int(doc, schema, "minItems", count);
    yyjson_mut_obj_add_int(doc, schema, "maxItems", count);
}

static void put_nullable(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *type, size_t size)
{
    char inner[TYPE_MAX];
    snprintf(inner, sizeof inner, "%.*s", (int)size, type);
    yyjson_mut_val *ways = yyjson_mut_obj_add_arr(doc, schema, "anyOf");
    put_type(doc, yyjson_mut_arr_add_obj(doc, ways), inner);
    yyjson_mut_obj_add_str(doc, yyjson_mut_arr_add_obj(doc, ways), "type", "null");
}

static void put_type(yyjson_mut_doc *doc, yyjson_mut_val *schema, const char *type)
{
    const char *null = strstr(type, "|null"), *bracket = strrchr(type, '[');
    if (null) put_nullable(doc, schema, type, (size_t)(null - type));
    else if (bracket) put_array(doc, schema, type, (size_t)(bracket - type));
    else put_word(doc, schema, type);
}

yyjson_mut_val *sdw_api_shape_write(yyjson_mut_doc *doc, const sdw_api_property *rows)
{
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, root, "type", "object");
    yyjson_mut_val *properties = yyjson_mut_obj_add_obj(doc, root, "properties");
    yyjson_mut_val *required = yyjson_mut_arr(doc);
    for (const sdw_api_property *p = rows; p->name; p++) {
        size_t n = strcspn(p->name, "?");
        yyjson_mut_val *schema = yyjson_mut_obj(doc);
        if (!yyjson_mut_obj_add(properties, yyjson_mut_strncpy(doc, p->name, n), schema)) return NULL;
        put_type(doc, schema, p->type);
        if (p->help) yyjson_mut_obj_add_str(doc, schema, "description", p->help);
        if (!p->name[n]) yyjson_mut_arr_add_strncpy(doc, required, p->name, n);
    }
    if (yyjson_mut_arr_size(required)) yyjson_mut_obj_add_val(doc, root, "required", required);
    return root;
}

bool sdw_api_shape_refers(const sdw_api_property *rows, const char *schema)
{
    for (const sdw_api_property *p = rows; p && p->name; p++)
        if (word_length(p->type) == strlen(schema) && !strncmp(p->type, schema, strlen(schema))) return true;
    return false;
}
