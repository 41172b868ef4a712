/* openai_answer.h - jobs of an OpenAI Images call and what the client is told of them (http-apis 3.1, 3.3, 3.4). */
#ifndef SDW_SERVER_OPENAI_ANSWER_H
#define SDW_SERVER_OPENAI_ANSWER_H

#include "server/job_wait.h"
#include "server/openai_request.h"

/* What answers need to know of the request after it is gone. Owned texts. */
typedef struct sdw_openai_facts {
    sdw_openai_call call;
    char quality[12], output_format[8], base_url[256];
    bool url;
    int partial_images, preview_every;
    sdw_job_id jobs[SDW_WAIT_JOBS_MAX];
    int job_count;
} sdw_openai_facts;

/* {"error":{"message","type","param","code"}}; param and code may be NULL. */
void sdw_openai_error(sdw_http_response *ret, int status, const char *code, const char *param, const char *message);
/* 500 and such after work was done: tells the client library not to try again. */
void sdw_openai_job_failed(sdw_http_response *ret, const sdw_job_view *v);

/* {"created","data":[...]} when the jobs have ended. facts is copied. */
void sdw_openai_wait(const sdw_http_request *r, const sdw_openai_facts *facts, sdw_http_response *ret);
/* The same as events while they run. */
void sdw_openai_stream(const sdw_http_request *r, const sdw_openai_facts *facts, sdw_http_response *ret);

/* "background":...,"output_format":...,"quality":...,"size":"WxH": what every event and answer repeats. */
void sdw_openai_put_common(const sdw_openai_facts *f, int width, int height, sdw_buf *out);
/* "usage":{...}; a local worker counts no tokens, so all are 0. */
void sdw_openai_put_usage(sdw_buf *out);

#endif
