/* routes.c - the tables of routes/NAME.c, listed from their file names. */
#include "server/server.h"

#define X(name) extern const sdw_routes sdw_routes_##name;
#include "registry/routes.inc"
#undef X

const sdw_routes *const sdw_server_routes[] = {
#define X(name) &sdw_routes_##name,
#include "registry/routes.inc"
#undef X
    0,
};
