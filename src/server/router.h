/* router.h - which row of the route tables answers a path. Pure. */
#ifndef SDW_SERVER_ROUTER_H
#define SDW_SERVER_ROUTER_H

#include "server/http.h"

#define SDW_ALLOW_SIZE 96

typedef struct sdw_route_match {
    const sdw_route *route; /* NULL: none for this method */
    int index;              /* of the route over all tables in their order; -1 if none */
    size_t tail_at, tail_size; /* what "*" or "{id}" matched, within the path */
    bool path_known;        /* some row has this path: 405 rather than 404 */
    const sdw_route *other; /* if path_known: one of its rows, for its face */
    char allow[SDW_ALLOW_SIZE]; /* if path_known: "GET, HEAD, OPTIONS" */
} sdw_route_match;

/* HEAD finds what GET finds. Of several patterns that fit the one with the most literal characters wins. tables: NULL-terminated. */
void sdw_route_find(const sdw_routes *const *tables, const char *method, const char *path, sdw_route_match *ret);
int sdw_route_count(const sdw_routes *const *tables);
/* NULL past the end. */
const sdw_route *sdw_route_at(const sdw_routes *const *tables, int index);

#endif
