/* job_json.h - a job as the native API tells it (http-apis 2.2, worker-protocol 5.7). Pure. Any thread. */
#ifndef SDW_SERVER_JOB_JSON_H
#define SDW_SERVER_JOB_JSON_H

#include "core/buf.h"
#include "sdw/worker.h"

/* "image_generation", "image_transform", "image_inpaint". */
const char *sdw_job_kind_name(sdw_job_kind kind);
/* "/v1/jobs/<id>/stream" */
#define SDW_SSE_URL_SIZE 64
void sdw_job_sse_url(const sdw_job_id *id, char ret[SDW_SSE_URL_SIZE]);

/* The status body, as a value; with_params adds the request as "params". */
void sdw_job_write(const sdw_job_view *v, bool with_params, sdw_buf *out);
/* {"job_id":"...","sse_url":"..."}, with "status":"cancelled" if cancelled. */
void sdw_job_write_reply(const sdw_job_id *id, bool cancelled, sdw_buf *out);

/* Exactly "job-" and a lower-case UUID version 4. */
bool sdw_job_id_parse(const char *text, sdw_job_id *ret);
/* 32 lower-case hexadecimal digits, perhaps with an ending such as ".png". */
bool sdw_output_id_parse(const char *text, sdw_output_id *ret);
/* One bit of sdw_worker_jobs' mask; false: no such word. */
bool sdw_job_status_parse(const char *word, unsigned *ret_bit);

#endif
