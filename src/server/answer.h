/* answer.h - answers that many native handlers give. */
#ifndef SDW_SERVER_ANSWER_H
#define SDW_SERVER_ANSWER_H

#include "server/http.h"

/* ret becomes a JSON answer whose body begins empty: append to &ret->body. */
sdw_buf *sdw_answer_json(sdw_http_response *ret, int status);
/* error: {"error":{"code","message"}} of the native face. */
void sdw_answer_error(sdw_http_response *ret, int status, const char *code, const char *message);
/* The same with "Retry-After: 5". */
void sdw_answer_later(sdw_http_response *ret, int status, const char *code, const char *message);
/* 500 if the body could not be written for want of memory. */
void sdw_answer_check(sdw_http_response *ret);

/* application/json, application/...+json, with or without parameters. */
bool sdw_is_json_type(const char *content_type);

/* ?limit= and ?cursor= of lists. False: ret holds the 400. */
typedef struct sdw_page { int limit; bool has_cursor; sdw_job_id cursor; } sdw_page;
#define SDW_PAGE_MAX 500
bool sdw_page_of(const sdw_http_request *r, sdw_page *ret_page, sdw_http_response *ret);

/* The client itself asks, on this machine: loopback, no proxy's header, no page of another origin. Where a key is
 * configured the guards have checked it, and this is true. */
bool sdw_is_trusted(const sdw_http_request *r);

/* What phase the worker is in, in the words of worker-protocol 7.1 and 3.3. */
const char *sdw_phase_status(sdw_worker_phase phase); /* "starting", "ready", "busy", "stopping", "stopped" */
const char *sdw_phase_state(sdw_worker_phase phase);  /* "loading", "idle", "busy", "error" */
bool sdw_phase_is_ready(sdw_worker_phase phase);
const char *sdw_server_worker_id(const sdw_server *s, char store[64]);
/* {"id","model_id","device","port","status","implementation","version"}: /info and the heartbeat. */
void sdw_write_worker_info(sdw_server *s, const sdw_worker_state *state, sdw_buf *out);

#endif
