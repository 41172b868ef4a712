/* native_fields.h - the fields of a native request (worker-protocol 4.2): the rows of sdw_fields() under the names and
 * within the ranges of that protocol, and the fields that belong to the job. Bodies are read by these rows, and
 * /v1/capabilities, /openapi.json and docs/api.md are written from them: a new engine field is in all of them. */
#ifndef SDW_SERVER_NATIVE_FIELDS_H
#define SDW_SERVER_NATIVE_FIELDS_H

#include "sdw/fields.h"
#include "sdw/worker.h"

#define SDW_NATIVE_SYNONYMS_MAX 3

typedef struct sdw_native_field {
    sdw_field row;           /* name, range, unit, help as the native API has them; offset as below */
    const sdw_field *engine; /* the row it comes from, offset in sdw_params; NULL: offset in sdw_job_request */
    const char *title;       /* subject of messages: "Guidance scale" */
    const char *between;     /* "0.0 and 1.0", where the protocol words a range so; NULL = from the numbers */
    const char *synonyms[SDW_NATIVE_SYNONYMS_MAX]; /* further names, NULL-padded */
    int characters_max;      /* of a text, in Unicode characters; 0 = only row.max bytes */
    bool nullable;           /* null means absent */
} sdw_native_field;

/* The index-th field, in the order in which violations are told; false past the end. Any thread. */
bool sdw_native_field_at(size_t index, sdw_native_field *ret);

/* Ranges of job fields that are not engine fields, and of native ones that are narrower than the engine's. */
#define SDW_NATIVE_STEPS_MAX 150
#define SDW_NATIVE_GUIDANCE_MAX 20
#define SDW_NATIVE_PICTURES_MAX 8
#define SDW_NATIVE_PROMPT_CHARACTERS 32000
#define SDW_NATIVE_LORAS_MAX 16

#endif
