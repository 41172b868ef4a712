/* api_shape.h - JSON objects as tables of rows: name, type, meaning. From them come the schemas of /openapi.json.
 *
 * A name that ends in '?' may be absent. A type is one word:
 *   string integer number boolean object    as in JSON
 *   seed                                     an integer of 0 .. 2^64 - 1
 *   any                                      whatever the field says
 *   =a,b,c                                   one of these texts
 *   Name                                     the schema of that name
 * and behind it, outermost last: [] an array, [2] an array of two, |null also null. */
#ifndef SDW_SERVER_API_SHAPE_H
#define SDW_SERVER_API_SHAPE_H

#include <stdbool.h>
#include <yyjson.h>

typedef struct sdw_api_property {
    const char *name, *type, *help; /* help may be NULL; the row without a name ends the table */
} sdw_api_property;

/* An object with these properties. NULL without memory. */
yyjson_mut_val *sdw_api_shape_write(yyjson_mut_doc *doc, const sdw_api_property *rows);

/* Whether a row's type names that schema. */
bool sdw_api_shape_refers(const sdw_api_property *rows, const char *schema);

#endif
