/* table.h - routes that do one thing each, for the tests of the transport. Served with options.user = a `stage`. */
#ifndef SDW_TEST_SERVER_TABLE_H
#define SDW_TEST_SERVER_TABLE_H

#include <pthread.h>

#include "server/server.h"

#define STAGE_JOB "job-00000000-0000-4000-8000-000000000001"

/* What the routes show, and what they saw. Guarded by the mutex; `moved` is signalled on every change. */
typedef struct stage {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    int events;         /* GET /stream: how many there are so far */
    size_t event_bytes; /* of each; 0 = a short one */
    bool ended;         /* the stream's end; the answer of GET /later and /later-desk is there */
    int opened, closed, gone; /* streams and waiting answers */
    int polled, handled;
    bool hold;          /* POST /hold waits on its desk thread until this is false */
    int held;
} stage;

void stage_init(stage *s);
void stage_finish(stage *s);
/* Sets and wakes the server. */
void stage_show(stage *s, sdw_server *server, int events, bool ended);
/* Waits until *value >= wanted; false after 10 s. */
bool stage_reaches(stage *s, const int *value, int wanted);
void stage_release(stage *s);

extern const sdw_routes *const test_routes[];

/* Starts a server on a free port with the test routes; fails the test if that does not work. */
sdw_server *serve(const sdw_server_options *o, stage *s);

#endif
