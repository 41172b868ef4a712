/* events.c - /v1/events: every job in one stream, a status body at each change of state and at most four times a second
 * of progress (http-apis 2.2). No pictures, no replay: whoever comes late asks /v1/jobs first.
 *
 * A reader remembers the jobs that it has told as unfinished, and the newest job it has seen. Each wake compares: jobs
 * that are new, jobs that changed, jobs that left. */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "server/answer.h"
#include "server/job_json.h"
#include "server/job_stream.h"

#define PROGRESS_EVERY_S 0.25
/* Unfinished jobs that one reader follows; further ones are told once, when they are accepted. */
#define FOLLOWED_MAX 1024

/* New jobs that one wake can tell; of more than that between two wakes the oldest are left out. */
#define NEW_MAX 256

typedef struct followed {
    sdw_job_id id;
    sdw_job_status status;
    int step;
    double told_at;
} followed;

typedef struct reader {
    sdw_server *server;
    sdw_job_id newest;     /* "" = there was none yet */
    double newest_at;      /* when that one was accepted */
    followed *jobs;        /* FOLLOWED_MAX */
    int count;
} reader;

static void tell(const sdw_job_view *v, sdw_buf *out)
{
    sdw_buf_puts(out, "event: job\ndata: ");
    sdw_job_write(v, false, out);
    sdw_buf_puts(out, "\n\n");
}

static followed *find(reader *r, const sdw_job_id *id)
{
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->jobs[i].id.text, id->text)) return &r->jobs[i];
    return NULL;
}

static bool is_over(sdw_job_status s)
{
    return s != SDW_JOB_QUEUED && s != SDW_JOB_RUNNING;
}

static void tell_if_changed(followed *f, const sdw_job_view *v, sdw_buf *out)
{
    double now = sdw_clock_monotonic_s();
    bool progress = v->step != f->step && now - f->told_at >= PROGRESS_EVERY_S;
    if (v->status == f->status && !progress) return;
    f->status = v->status;
    f->step = v->step;
    f->told_at = now;
    tell(v, out);
}

static void follow(reader *r, const sdw_job_view *v)
{
    if (r->count < FOLLOWED_MAX)
        r->jobs[r->count++] = (followed){ .id = v->id, .status = v->status, .step = v->step,
                                          .told_at = sdw_clock_monotonic_s() };
}

/* Jobs newer than the newest seen, oldest of them first; `quiet`: only remembered, at the beginning. That job may be
 * forgotten by now, so its time decides too. */
static void look_at_new(reader *r, bool quiet, sdw_buf *out)
{
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_job_id ids[NEW_MAX];
    sdw_job_view v;
    size_t count = sdw_worker_jobs(w, 0, NULL, ids, NEW_MAX), fresh = 0;
    for (; fresh < count && strcmp(ids[fresh].text, r->newest.text) != 0; fresh++) {
        if (sdw_worker_job(w, &ids[fresh], &v, NULL) != SDW_OK) continue;
        bool older = v.created_at < r->newest_at;
        sdw_job_view_finish(&v);
        if (older) break;
    }
    for (size_t i = fresh; i-- > 0;) {
        if (find(r, &ids[i]) || sdw_worker_job(w, &ids[i], &v, NULL) != SDW_OK) continue;
        r->newest = v.id;
        r->newest_at = v.created_at;
        if (!quiet) tell(&v, out);
        if (!is_over(v.status)) follow(r, &v);
        sdw_job_view_finish(&v);
    }
}

static void look_at_followed(reader *r, sdw_buf *out)
{
    sdw_worker *w = sdw_server_worker(r->server);
    for (int i = 0; i < r->count;) {
        sdw_job_view v;
        bool over = true;
        if (sdw_worker_job(w, &r->jobs[i].id, &v, NULL) == SDW_OK) {
            tell_if_changed(&r->jobs[i], &v, out);
            over = is_over(v.status);
            sdw_job_view_finish(&v);
        }
        if (over) r->jobs[i] = r->jobs[--r->count];
        else i++;
    }
}

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    reader *r = ctx;
    sdw_worker_state s;
    *ret_end = false;
    look_at_followed(r, out);
    look_at_new(r, false, out);
    sdw_worker_state_of(sdw_server_worker(r->server), &s);
    if (s.phase == SDW_WORKER_STOPPING && sdw_worker_stopped(sdw_server_worker(r->server))) *ret_end = true;
    return out->failed ? SDW_NO_MEMORY : SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    reader *r = ctx;
    (void)client_gone;
    sdw_free(r->jobs);
    sdw_free(r);
}

static void events(const sdw_http_request *r, sdw_http_response *ret)
{
    reader *reading = sdw_calloc(1, sizeof *reading);
    followed *jobs = sdw_calloc(FOLLOWED_MAX, sizeof *jobs);
    if (!reading || !jobs) {
        sdw_free(reading);
        sdw_free(jobs);
        sdw_answer_later(ret, 503, "OVERLOADED", "No memory for another stream");
        return;
    }
    *reading = (reader){ .server = r->server, .jobs = jobs };
    look_at_new(reading, true, NULL);
    sdw_sse_head(ret);
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_reader, .ctx = reading };
}

static const sdw_route rows[] = {
    { "GET", "/v1/events", SDW_FACE_NATIVE, SDW_ROUTE_TOKEN_QUERY, events, "allEvents",
      "Events `job` with the status of any job that changes; from now on, nothing is replayed." },
};
const sdw_routes sdw_routes_events = { rows, sizeof rows / sizeof rows[0] };
