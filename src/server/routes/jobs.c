/* jobs.c - /v1/jobs: submit, list, look at, follow, cancel (worker-protocol 4 and 5, http-apis 2.2). */
#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/job_json.h"
#include "server/job_stream.h"
#include "server/job_submit.h"
#include "server/json_out.h"
#include "server/native_handlers.h"

void sdw_route_submit(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_id id;
    bool replayed = false;
    if (!sdw_submit_body(r, SDW_BODY_NATIVE, &id, &replayed, ret)) return;
    sdw_job_write_reply(&id, false, sdw_answer_json(ret, 200));
    if (replayed) sdw_http_add_header(ret, "idempotency-replayed", "true", NULL);
    sdw_answer_check(ret);
}

/* 404 with the message of each route; `form` has one %s. */
static void unknown(const char *form, const char *id, sdw_http_response *ret)
{
    char message[160], shown[64];
    snprintf(shown, sizeof shown, "%.60s", id);
    snprintf(message, sizeof message, form, shown);
    sdw_answer_error(ret, 404, "NOT_FOUND", message);
}

/* ---- the stream ---- */

static bool wants_ids(const sdw_http_request *r)
{
    const char *accept = sdw_http_header(r, "accept"), *ids = sdw_http_query(r, "ids");
    if (accept && strstr(accept, "text/event-stream")) return true;
    return sdw_http_header(r, "last-event-id") || sdw_http_query(r, "last_event_id") || (ids && !strcmp(ids, "1"));
}

static uint64_t last_id(const sdw_http_request *r)
{
    const char *header = sdw_http_header(r, "last-event-id");
    return sdw_sse_last_id(header ? header : sdw_http_query(r, "last_event_id"));
}

void sdw_route_stream(const sdw_http_request *r, sdw_http_response *ret)
{
    static const char *const form = "Job %s not found or already streaming";
    sdw_job_stream_options o = { .ids = wants_ids(r), .after = last_id(r) };
    sdw_error err = { 0 };
    sdw_job_id id;
    uint64_t number;
    bool ended;
    if (!sdw_sse_form_parse(sdw_http_query(r, "format"), &o.form)) {
        sdw_answer_error(ret, 400, "INVALID_REQUEST", "Invalid input: format must be g1, legacy or g2");
        return;
    }
    if (!sdw_job_id_parse(r->tail, &id)
        || sdw_worker_last_event(sdw_server_worker(r->server), &id, &number, &ended, &err) != SDW_OK) {
        unknown(form, r->tail, ret);
        return;
    }
    if (ended && o.after >= number) { /* all of it has been seen: this stops an EventSource */
        ret->status = 204;
        return;
    }
    if (o.after > number) o.after = 0; /* numbers of an earlier run of this job */
    sdw_status s = sdw_job_stream_open(r->server, &id, &o, ret, &err);
    if (s == SDW_NOT_FOUND) unknown(form, r->tail, ret);
    else if (s != SDW_OK) sdw_answer_later(ret, 503, "OVERLOADED", err.text);
}

/* ---- one job ---- */

static void get(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_id id;
    sdw_job_view v;
    if (!sdw_job_id_parse(r->tail, &id) || sdw_worker_job(sdw_server_worker(r->server), &id, &v, NULL) != SDW_OK) {
        unknown("Job %s not found", r->tail, ret);
        return;
    }
    sdw_job_write(&v, true, sdw_answer_json(ret, 200));
    sdw_job_view_finish(&v);
    sdw_answer_check(ret);
}

static void cancel(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_id id;
    if (!sdw_job_id_parse(r->tail, &id) || sdw_worker_cancel(sdw_server_worker(r->server), &id, NULL) != SDW_OK) {
        unknown("Job %s not found or cannot be cancelled (already completed/failed)", r->tail, ret);
        return;
    }
    sdw_job_write_reply(&id, true, sdw_answer_json(ret, 200));
    sdw_answer_check(ret);
}

/* ---- the list ---- */

static bool status_mask(const sdw_http_request *r, unsigned *ret_mask, sdw_http_response *ret)
{
    const char *word = sdw_http_query(r, "status");
    if (!word) word = sdw_http_query(r, "state");
    *ret_mask = 0;
    if (!word || !*word || sdw_job_status_parse(word, ret_mask)) return true;
    sdw_answer_error(ret, 400, "INVALID_REQUEST",
                     "Invalid input: status must be one of queued, running, completed, failed, cancelled");
    return false;
}

static void list(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_id ids[SDW_PAGE_MAX + 1];
    sdw_page page;
    unsigned mask;
    if (!sdw_page_of(r, &page, ret) || !status_mask(r, &mask, ret)) return;
    sdw_worker *w = sdw_server_worker(r->server);
    size_t limit = (size_t)page.limit;
    size_t count = sdw_worker_jobs(w, mask, page.has_cursor ? &page.cursor : NULL, ids, limit + 1);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_key(out, "jobs");
    sdw_json_open(out, '[');
    for (size_t i = 0; i < count && i < limit; i++) {
        sdw_job_view v;
        if (sdw_worker_job(w, &ids[i], &v, NULL) != SDW_OK) continue;
        sdw_job_write(&v, true, out);
        sdw_job_view_finish(&v);
    }
    sdw_json_close(out, ']');
    sdw_json_put_text(out, "next_cursor", count > limit ? ids[limit - 1].text : NULL);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static const sdw_route rows[] = {
    { "POST", "/v1/jobs", SDW_FACE_NATIVE, SDW_ROUTE_DESK, sdw_route_submit, "submitJob",
      "Queues a picture and answers with its id and the address of its events." },
    { "GET", "/v1/jobs", SDW_FACE_NATIVE, 0, list, "listJobs",
      "Jobs, newest first; ?status= picks one status, ?limit= and ?cursor= page." },
    { "GET", "/v1/jobs/{id}", SDW_FACE_NATIVE, 0, get, "getJob", "Where a job stands, and its results." },
    { "DELETE", "/v1/jobs/{id}", SDW_FACE_NATIVE, 0, cancel, "cancelJob", "Cancels a queued or running job." },
    { "GET", "/v1/jobs/{id}/stream", SDW_FACE_NATIVE, SDW_ROUTE_TOKEN_QUERY, sdw_route_stream, "streamJob",
      "The job's events from the first one on, or after Last-Event-ID; ?format=g1 for the older form." },
};
const sdw_routes sdw_routes_jobs = { rows, sizeof rows / sizeof rows[0] };
