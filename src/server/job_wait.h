/* job_wait.h - a call that answers when its jobs have ended (synchronous faces). One or a few jobs stand behind one
 * answer; a client that leaves cancels what is left of them. */
#ifndef SDW_SERVER_JOB_WAIT_H
#define SDW_SERVER_JOB_WAIT_H

#include "server/http.h"

#define SDW_WAIT_JOBS_MAX 4

typedef struct sdw_waiter {
    sdw_server *server;
    sdw_job_id jobs[SDW_WAIT_JOBS_MAX];
    int count;
    /* All jobs have ended (views in the order of jobs; a forgotten job's view is zeroed and FAILED): fills ret. Runs once,
     * where the route's handler runs. */
    void (*answer)(void *ctx, const struct sdw_waiter *w, const sdw_job_view *views, sdw_http_response *ret);
    void (*free_ctx)(void *ctx); /* exactly once; may be NULL */
    void *ctx;
} sdw_waiter;

/* Makes ret wait. w is copied; its ctx is owned from here on, also on failure, which leaves a 503 in ret. */
void sdw_wait_for_jobs(const sdw_waiter *w, sdw_face face, sdw_http_response *ret);

/* Bytes of picture `index` of a job, base64 without a prefix, as a JSON string value. False: gone, or no memory. */
bool sdw_write_picture(sdw_worker *w, const sdw_job_id *id, int index, sdw_buf *out);

/* The HTTP status that a failed job's code has on synchronous faces, and whether the client may try again. */
int sdw_job_error_status(const char *code);

#endif
