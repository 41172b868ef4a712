/* job_stream.h - the server-sent events of one job: a reader is a position in the job's list, nothing more. */
#ifndef SDW_SERVER_JOB_STREAM_H
#define SDW_SERVER_JOB_STREAM_H

#include "server/http.h"
#include "server/sse_format.h"

typedef struct sdw_job_stream_options {
    sdw_sse_form form;
    bool ids;               /* "id:" lines */
    uint64_t after;         /* events up to this number are not sent */
    bool cancel_when_gone;  /* the reader is the job's owner: when it leaves early the job is cancelled */
} sdw_job_stream_options;

/* Makes ret an event stream of this job: head and body of worker-protocol 5.1. NOT_FOUND: unknown job. */
sdw_status sdw_job_stream_open(sdw_server *server, const sdw_job_id *id, const sdw_job_stream_options *o,
                               sdw_http_response *ret, sdw_error *err);
/* The head that every event stream has. */
void sdw_sse_head(sdw_http_response *ret);

#endif
