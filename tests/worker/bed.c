/* bed.c - see bed.h. */
#include "worker/bed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image/image.h"

struct bed_wakes {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned long count;
};

static void on_wake(void *ctx, const sdw_job_id *id)
{
    struct bed_wakes *k = ctx;
    (void)id;
    pthread_mutex_lock(&k->mutex);
    k->count++;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->mutex);
}

void bed_open(bed *b, const sdw_worker_options *o)
{
    sdw_worker_options own = o ? *o : (sdw_worker_options){ 0 };
    sdw_error err = { 0 };
    b->wakes = calloc(1, sizeof *b->wakes);
    assert_non_null(b->wakes);
    pthread_mutex_init(&b->wakes->mutex, NULL);
    pthread_cond_init(&b->wakes->cond, NULL);
    if (!own.executor) own.executor = &fake_executor;
    if (!own.engine.model) own.engine.model = "fake";
    own.wake = on_wake;
    own.wake_ctx = b->wakes;
    if (sdw_worker_open(&own, &b->w, &err) != SDW_OK) fail_msg("open: %s", err.text);
}

void bed_close(bed *b)
{
    sdw_worker_close(b->w);
    pthread_cond_destroy(&b->wakes->cond);
    pthread_mutex_destroy(&b->wakes->mutex);
    free(b->wakes);
}

/* For whoever looks into a hang. */
static void tell_state(bed *b)
{
    sdw_worker_state s;
    sdw_job_id id[16];
    sdw_worker_state_of(b->w, &s);
    print_message("phase %d, %d queued, %d running, stopped %d\n", s.phase, s.queued, s.running, sdw_worker_stopped(b->w));
    size_t n = sdw_worker_jobs(b->w, 0, NULL, id, 16);
    for (size_t i = 0; i < n; i++) {
        sdw_job_view v = bed_view(b, &id[i]);
        print_message("%s: %s, step %d of %d\n", id[i].text, sdw_job_status_name(v.status), v.step, v.total);
        sdw_job_view_finish(&v);
    }
}

void bed_wait(bed *b, bed_condition *until, void *ctx)
{
    struct timespec end;
    struct bed_wakes *k = b->wakes;
    for (;;) {
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 30; /* without any sign of life */
        pthread_mutex_lock(&k->mutex);
        unsigned long seen = k->count;
        pthread_mutex_unlock(&k->mutex);
        if (until(b, ctx)) return; /* what changes after `seen` was read wakes us below */
        pthread_mutex_lock(&k->mutex);
        int late = 0;
        while (k->count == seen && !late) late = pthread_cond_timedwait(&k->cond, &k->mutex, &end);
        pthread_mutex_unlock(&k->mutex);
        if (late) {
            tell_state(b);
            fail_msg("nothing happened for 30 s");
        }
    }
}

static bool in_phase(bed *b, void *ctx)
{
    sdw_worker_state s;
    sdw_worker_state_of(b->w, &s);
    return s.phase == *(sdw_worker_phase *)ctx;
}

void bed_wait_phase(bed *b, sdw_worker_phase phase)
{
    bed_wait(b, in_phase, &phase);
}

sdw_job_view bed_view(bed *b, const sdw_job_id *id)
{
    sdw_job_view v;
    sdw_error err = { 0 };
    if (sdw_worker_job(b->w, id, &v, &err) != SDW_OK) fail_msg("%s", err.text);
    return v;
}

sdw_job_status bed_status(bed *b, const sdw_job_id *id)
{
    sdw_job_view v = bed_view(b, id);
    sdw_job_view_finish(&v);
    return v.status;
}

typedef struct wanted {
    const sdw_job_id *id;
    sdw_job_status status;
} wanted;

static bool has_status(bed *b, void *ctx)
{
    const wanted *k = ctx;
    return bed_status(b, k->id) == k->status;
}

void bed_wait_status(bed *b, const sdw_job_id *id, sdw_job_status status)
{
    wanted k = { id, status };
    bed_wait(b, has_status, &k);
}

static bool has_ended(bed *b, void *ctx)
{
    uint64_t number;
    bool ended = false;
    sdw_error err = { 0 };
    if (sdw_worker_last_event(b->w, ctx, &number, &ended, &err) != SDW_OK) fail_msg("%s", err.text);
    return ended;
}

sdw_job_status bed_wait_end(bed *b, const sdw_job_id *id)
{
    bed_wait(b, has_ended, (void *)id);
    return bed_status(b, id);
}

sdw_job_request bed_request(const char *prompt)
{
    sdw_job_request r = { 0 };
    sdw_params_init(&r.params);
    r.params.prompt = prompt;
    r.params.width = r.params.height = 64;
    r.params.steps = 4;
    r.params.guidance = 1.0;
    return r;
}

sdw_job_id bed_submit(bed *b, const sdw_job_request *r)
{
    sdw_job_id id;
    sdw_error err = { 0 };
    if (sdw_worker_submit(b->w, r, &id, NULL, &err) != SDW_OK) fail_msg("submit: %s", err.text);
    return id;
}

sdw_status bed_refused(bed *b, const sdw_job_request *r, const char *field, const char *words)
{
    sdw_job_id id;
    sdw_error err = { 0 };
    sdw_status status = sdw_worker_submit(b->w, r, &id, NULL, &err);
    if (status == SDW_OK) fail_msg("accepted, want a refusal with \"%s\"", words);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, words)) fail_msg("\"%s\", want \"%s\"", err.text, words);
    return status;
}

typedef struct reader {
    const sdw_job_id *id;
    uint64_t after;
    sdw_event event;
} reader;

static bool has_event(bed *b, void *ctx)
{
    reader *r = ctx;
    sdw_error err = { 0 };
    sdw_status status = sdw_worker_event(b->w, r->id, r->after, &r->event, &err);
    if (status != SDW_OK && status != SDW_BUSY) fail_msg("%s", err.text);
    return status == SDW_OK;
}

sdw_event bed_event(bed *b, const sdw_job_id *id, uint64_t after)
{
    reader r = { .id = id, .after = after };
    bed_wait(b, has_event, &r);
    return r.event;
}

void bed_story(bed *b, const sdw_job_id *id, bool narration, char *ret, size_t size)
{
    static const char letters[] = "pvnCEDFX";
    uint64_t after = 0;
    size_t n = 0;
    sdw_event e;
    bed_wait_end(b, id);
    while (sdw_worker_event(b->w, id, after, &e, NULL) == SDW_OK) {
        assert_true(e.number > after && e.kind <= SDW_EVENT_END_CANCELLED);
        after = e.number;
        if ((narration || e.kind != SDW_EVENT_NARRATION) && n + 1 < size) ret[n++] = letters[e.kind];
        sdw_event_finish(&e);
    }
    ret[n] = '\0';
}

uint8_t *bed_pixels(bed *b, const sdw_job_id *id, int index, size_t *ret_size)
{
    sdw_blob *blob;
    sdw_image *image;
    sdw_error err = { 0 };
    size_t size;
    if (sdw_worker_picture(b->w, id, index, &blob, &err) != SDW_OK) fail_msg("%s", err.text);
    const void *bytes = sdw_blob_bytes(blob, &size);
    if (sdw_image_decode(bytes, size, NULL, &image, &err) != SDW_OK) fail_msg("%s", err.text);
    sdw_blob_unref(blob);
    uint8_t *pixels = image->pixels;
    *ret_size = sdw_image_bytes(image);
    image->pixels = NULL;
    sdw_image_free(image);
    return pixels;
}
