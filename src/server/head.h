/* head.h - the head of a request as we trust it: own copies, decoded target, framing checked. Pure, fuzzed; knows
 * neither sockets nor the HTTP library. */
#ifndef SDW_SERVER_HEAD_H
#define SDW_SERVER_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/target.h"

/* Browsers and proxies together send some thirty. */
#define SDW_HEADERS_MAX 100
/* Request line and headers as they came (http-apis 5.1). */
#define SDW_HEAD_BYTES_MAX ((size_t)16 << 10)

typedef struct sdw_head {
    sdw_arena arena;        /* holds every text below */
    const char *method;
    sdw_target target;
    int minor;              /* HTTP/1.minor */
    sdw_pair header[SDW_HEADERS_MAX]; /* values without blanks around them */
    int header_count;
    bool has_length, chunked, expects_continue;
    uint64_t length;        /* Content-Length */
} sdw_head;

/* Then one sdw_head_add per header, then sdw_head_check. All accept what came off the wire. false: no memory, or too many. */
void sdw_head_init(sdw_head *h);
bool sdw_head_add(sdw_head *h, const char *name, size_t name_size, const char *value, size_t value_size);
/* NULL: the request is well framed and the members are filled. Else what is wrong, static storage: answer 400. */
const char *sdw_head_check(sdw_head *h, const char *method, const char *raw_target, const char *version);
void sdw_head_finish(sdw_head *h);

/* NULL if absent; the first if there are several. */
const char *sdw_head_get(const sdw_head *h, const char *name);
/* Does a comma-separated list such as Accept name this item, parameters aside? */
bool sdw_list_names(const char *list, const char *item);
/* "application/json; charset=utf-8" is of type "application/json"; case does not matter. */
bool sdw_media_type_is(const char *value, const char *type);

#endif
