/* api_doc.h - what /openapi.json says of a route beyond its row: body, arguments, answer. Rows live in apidocs/NAME.c,
 * one file per face, found by file name; a route without a row is described by its method and face alone. */
#ifndef SDW_SERVER_API_DOC_H
#define SDW_SERVER_API_DOC_H

#include <yyjson.h>

#include "server/api_shape.h"
#include "server/http.h"

/* One query argument or header. */
typedef struct sdw_api_argument {
    const char *name, *type; /* "string", "integer", "boolean" */
    const char *help;
    bool header;
} sdw_api_argument;
#define SDW_API_ARGUMENTS_MAX 6

typedef struct sdw_api_doc {
    const char *id;              /* operationId of the route */
    const char *schema;          /* of the body: a name of sdw_api_schema; NULL = the route takes none */
    const char *type, *type2;    /* content types of the body; NULL = application/json, and no second one */
    const char *example;         /* a body, as JSON */
    int status;                  /* of success; 0 = 200 */
    const char *answer_type;     /* NULL = application/json; "" = no body */
    const char *answer_schema;   /* a name of sdw_api_schema; NULL = any object, or text for other types */
    const char *event_schema;    /* of a stream: what the data of its events is */
    const char *answer_example;  /* as JSON, or the text itself for other types */
    sdw_api_argument argument[SDW_API_ARGUMENTS_MAX];
    bool queues;                 /* makes a job: 429 too */
} sdw_api_doc;

typedef struct sdw_api_schema {
    const char *name;
    const char *json;            /* the schema; or */
    const sdw_api_property *shape; /* an object of these; or */
    yyjson_mut_val *(*write)(yyjson_mut_doc *doc); /* made from a table; NULL without memory */
} sdw_api_schema;

/* Every file apidocs/NAME.c defines `const sdw_api_docs sdw_api_docs_NAME`. */
typedef struct sdw_api_docs {
    const sdw_api_doc *rows; int row_count;
    const sdw_api_schema *schemas; int schema_count;
} sdw_api_docs;
extern const sdw_api_docs *const sdw_api_doc_tables[]; /* NULL-terminated */

/* NULL if no table has it. */
const sdw_api_doc *sdw_api_doc_of(const char *id);

/* The OpenAPI 3.1.0 document of these routes, JSON. NO_MEMORY, or INTERNAL for a schema or example that is no JSON. */
sdw_status sdw_openapi_write(const sdw_routes *const *tables, sdw_buf *out, sdw_error *err);

#endif
