/* serve_calls.h - what the service tells others by itself: heartbeats, and once that it is ready (worker-protocol 7.1,
 * 7.2). Threads of their own, so that no one who does not answer delays a picture. */
#ifndef SDW_CLI_SERVE_CALLS_H
#define SDW_CLI_SERVE_CALLS_H

#include "cli/serve_config.h"

typedef struct sdw_serve_calls sdw_serve_calls;

/* Starts the heartbeat if there is a queen; NULL if nobody is to be told anything. The config and the server outlive it. */
sdw_status sdw_serve_calls_start(const sdw_serve_config *c, sdw_server *server, sdw_serve_calls **ret, sdw_error *err);
/* The model is loaded: the callback goes out, once. Returns at once; accepts NULL. */
void sdw_serve_calls_ready(sdw_serve_calls *calls);
/* A call that is under way is not waited for longer than wait_s: then the threads are left to the process's end. */
void sdw_serve_calls_stop(sdw_serve_calls *calls, double wait_s); /* accepts NULL */

#endif
