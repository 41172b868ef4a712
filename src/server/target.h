/* target.h - the request target: "/a%20b?c=d" into a path and arguments. A parser of foreign bytes: pure, fuzzed. */
#ifndef SDW_SERVER_TARGET_H
#define SDW_SERVER_TARGET_H

#include "core/arena.h"

/* No face has more than a handful of arguments. */
#define SDW_QUERY_MAX 64

typedef struct sdw_pair {
    const char *name, *value;
} sdw_pair;

typedef struct sdw_target {
    const char *path; /* decoded, begins with '/', valid UTF-8, no control bytes, no segment ".." */
    sdw_pair query[SDW_QUERY_MAX]; /* decoded, '+' is a space; in the order of the text */
    int query_count;
} sdw_target;

/* NULL and *ret filled, its texts in the arena; else what is wrong with it, static storage. */
const char *sdw_target_parse(const char *raw, sdw_arena *arena, sdw_target *ret);
/* The first of that name; NULL if there is none. */
const char *sdw_target_query(const sdw_target *t, const char *name);

#endif
