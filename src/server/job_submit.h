/* job_submit.h - a request body becomes a job, or the answer that says why not. Desk threads. */
#ifndef SDW_SERVER_JOB_SUBMIT_H
#define SDW_SERVER_JOB_SUBMIT_H

#include "server/http.h"
#include "server/job_body.h"

/* True: accepted (or, with an Idempotency-Key, the job of the first time: *ret_replayed). False: ret holds the error. */
bool sdw_submit_body(const sdw_http_request *r, sdw_body_shape shape, sdw_job_id *ret_id, bool *ret_replayed,
                     sdw_http_response *ret);
/* The 400 for what the worker says about a field; err as from sdw_worker_submit. */
void sdw_submit_refused(const sdw_error *err, sdw_job_body *b, sdw_http_response *ret);

#endif
