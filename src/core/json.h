/* json.h - yyjson behind guards: byte limit, depth limit, duplicate keys refused, top level checked.
 * Readers use yyjson's checked accessors on the document; the unsafe ones are banned by the lint script. */
#ifndef SDW_CORE_JSON_H
#define SDW_CORE_JSON_H

#include <stdint.h>
#include <yyjson.h>

#include "core/buf.h"
#include "core/status.h"

typedef enum sdw_json_top { SDW_JSON_ANY, SDW_JSON_OBJECT, SDW_JSON_ARRAY } sdw_json_top;

typedef struct sdw_json_limits {
    size_t bytes_max;  /* 0 = SDW_LIMIT_JSON_BYTES */
    int depth_max;     /* 0 = SDW_LIMIT_JSON_DEPTH */
    sdw_json_top top;
} sdw_json_limits;

/* Parses `size` bytes (copied; the text may go away). `what` names the text in errors, such as a path. limits may be
 * NULL. *ret_doc is freed by yyjson_doc_free. Duplicate keys anywhere are SDW_FORMAT. */
sdw_status sdw_json_parse(const char *text, size_t size, const char *what, const sdw_json_limits *limits,
                          yyjson_doc **ret_doc, sdw_error *err);
/* Reads a whole file within the byte limit, then parses it. */
sdw_status sdw_json_read_file(const char *path, const sdw_json_limits *limits, yyjson_doc **ret_doc, sdw_error *err);
/* Appends a value as JSON on one line. A failure sticks in the buffer. */
void sdw_json_append(sdw_buf *to, yyjson_val *value);
/* The same for a text, with its quotes. Bytes above 0x7f pass as they are. */
void sdw_json_append_text(sdw_buf *to, const char *text);

/* yyjson's memory through core/mem.h, for documents that are written. Static storage. */
extern const yyjson_alc sdw_json_memory;

#endif
