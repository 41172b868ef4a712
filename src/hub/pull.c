/* pull.c - several files at once. Workers fetch; the calling thread alone talks to the hooks: it wakes ten times a
 * second, copies what changed under the mutex and tells it without. */
#include "hub/pull.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "hub/cache_write.h"
#include "hub/client.h"
#include "hub/folders.h"
#include "hub/pull_file.h"
#include "hub/rate.h"

#define WORKERS_MAX 32
#define TELL_MS 100
#define SENTENCES_MAX 16
#define SENTENCE_SIZE 360

typedef struct sentence {
    char text[SENTENCE_SIZE];
    bool is_warning;
} sentence;

typedef struct pull pull;

/* One thread. Its progress is of the task that it works on. */
typedef struct worker {
    pull *pull;
    pthread_t thread;
    bool running;
    uint64_t there;          /* bytes of the running task that are counted in pull->done */
    const char *file;        /* path of the running task */
} worker;

struct pull {
    const sdw_hub_settings *settings;
    const sdw_hub_plan *plan;
    const sdw_hub_hooks *hooks;   /* the caller's; used by the calling thread, `wait` by all */
    sdw_hub_hooks worker_hooks;
    atomic_bool stop;             /* cancelled, or a worker failed */
    worker workers[WORKERS_MAX];
    pthread_mutex_t mutex;        /* guards the rest */
    pthread_cond_t changed;
    size_t next_task, tasks_done;
    int running;                  /* workers */
    uint64_t done, fetched;
    const char *file;             /* last moved; borrowed from the plan */
    sentence sentences[SENTENCES_MAX]; /* to be told; a full queue drops the newest */
    int sentence_count;
    sdw_status status;            /* of the first worker that failed */
    sdw_error err;
};

/* ---- on the workers ---- */

static bool worker_cancelled(void *ctx)
{
    pull *p = ctx;
    return atomic_load(&p->stop);
}

static void worker_wait(void *ctx, unsigned milliseconds)
{
    pull *p = ctx;
    p->hooks->wait(p->hooks->ctx, milliseconds);
}

static void queue_sentence(pull *p, const char *text, bool is_warning)
{
    pthread_mutex_lock(&p->mutex);
    bool known = false;
    for (int i = 0; i < p->sentence_count; i++) known = known || !strcmp(p->sentences[i].text, text);
    if (!known && p->sentence_count < SENTENCES_MAX) {
        sentence *s = &p->sentences[p->sentence_count++];
        snprintf(s->text, sizeof s->text, "%s", text);
        s->is_warning = is_warning;
    }
    pthread_mutex_unlock(&p->mutex);
}

static void worker_note(void *ctx, const char *text)
{
    queue_sentence(ctx, text, false);
}

static void worker_warn(void *ctx, const char *text)
{
    queue_sentence(ctx, text, true);
}

static void on_moved(void *ctx, uint64_t there, uint64_t fetched)
{
    worker *w = ctx;
    pull *p = w->pull;
    pthread_mutex_lock(&p->mutex);
    p->done = p->done - w->there + there;
    p->fetched += fetched;
    p->file = w->file;
    w->there = there;
    pthread_mutex_unlock(&p->mutex);
}

/* The next task that is not present; NULL when there is none, or nothing more shall be done. */
static const sdw_hub_task *take_task(worker *w)
{
    pull *p = w->pull;
    const sdw_hub_task *t = NULL;
    pthread_mutex_lock(&p->mutex);
    while (!atomic_load(&p->stop) && !t && p->next_task < p->plan->task_count) {
        const sdw_hub_task *candidate = &p->plan->tasks[p->next_task++];
        if (!candidate->present) t = candidate;
    }
    w->there = 0;
    w->file = t ? p->plan->order[t->first]->path : "";
    pthread_mutex_unlock(&p->mutex);
    return t;
}

static void end_task(worker *w, sdw_status s, const sdw_error *err)
{
    pull *p = w->pull;
    pthread_mutex_lock(&p->mutex);
    if (s == SDW_OK) {
        p->tasks_done++;
    } else if (p->status == SDW_OK) {
        p->status = s;
        p->err = *err;
    }
    pthread_mutex_unlock(&p->mutex);
    if (s != SDW_OK) atomic_store(&p->stop, true);
}

static void *work(void *ctx)
{
    worker *w = ctx;
    pull *p = w->pull;
    sdw_hub_client *client = NULL;
    sdw_error err = { 0 };
    sdw_status s = sdw_hub_client_open(p->settings, &p->worker_hooks, &client, &err);
    if (s != SDW_OK) end_task(w, s, &err);
    for (const sdw_hub_task *t; s == SDW_OK && (t = take_task(w));) {
        s = sdw_hub_pull_file(client, p->plan, t, on_moved, w, &err);
        end_task(w, s, &err);
    }
    sdw_hub_client_close(client);
    pthread_mutex_lock(&p->mutex);
    p->running--;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- on the calling thread ---- */

static void start_workers(pull *p)
{
    int want = p->settings->parallel < 1 ? 1 : p->settings->parallel > WORKERS_MAX ? WORKERS_MAX : p->settings->parallel;
    if ((size_t)want > p->plan->files_missing) want = (int)p->plan->files_missing;
    for (int i = 0; i < want; i++) {
        worker *w = &p->workers[i];
        w->pull = p;
        w->file = "";
        pthread_mutex_lock(&p->mutex);
        p->running++;
        pthread_mutex_unlock(&p->mutex);
        w->running = pthread_create(&w->thread, NULL, work, w) == 0;
        if (w->running) continue;
        pthread_mutex_lock(&p->mutex); /* fewer threads do as well; none at all is told below */
        p->running--;
        if (i == 0) p->status = sdw_fail(&p->err, SDW_NO_MEMORY, "%s: no thread can be started", p->plan->id);
        pthread_mutex_unlock(&p->mutex);
        return;
    }
}

static void tell_sentences(pull *p)
{
    sentence told[SENTENCES_MAX];
    pthread_mutex_lock(&p->mutex);
    int n = p->sentence_count;
    memcpy(told, p->sentences, (size_t)n * sizeof told[0]);
    p->sentence_count = 0;
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; p->hooks && i < n; i++) {
        void (*tell)(void *, const char *) = told[i].is_warning ? p->hooks->warn : p->hooks->note;
        if (tell) tell(p->hooks->ctx, told[i].text);
    }
}

static void tell_progress(pull *p, sdw_hub_rate *rate)
{
    sdw_hub_progress now = { .name = p->plan->id, .files = p->plan->task_count, .bytes = p->plan->bytes };
    if (!p->hooks || !p->hooks->progress) return;
    pthread_mutex_lock(&p->mutex);
    now.file = p->file;
    now.files_done = now.files - p->plan->files_missing + p->tasks_done;
    now.bytes_done = p->done;
    now.bytes_fetched = p->fetched;
    pthread_mutex_unlock(&p->mutex);
    sdw_hub_rate_fill(rate, &now);
    p->hooks->progress(p->hooks->ctx, &now);
}

/* Waits a tick, or until a worker ends; false when all have ended. */
static bool wait_tick(pull *p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)TELL_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->mutex);
    if (p->running > 0) pthread_cond_timedwait(&p->changed, &p->mutex, &until);
    bool more = p->running > 0;
    pthread_mutex_unlock(&p->mutex);
    return more;
}

static sdw_status run(pull *p, sdw_error *err)
{
    sdw_hub_rate rate;
    bool cancelled = false;
    sdw_hub_rate_init(&rate);
    start_workers(p);
    do {
        cancelled = cancelled || sdw_hub_cancelled(p->hooks);
        if (cancelled) atomic_store(&p->stop, true);
        tell_sentences(p);
        tell_progress(p, &rate);
    } while (wait_tick(p));
    for (int i = 0; i < WORKERS_MAX; i++)
        if (p->workers[i].running) pthread_join(p->workers[i].thread, NULL);
    tell_sentences(p);
    tell_progress(p, &rate);
    if (cancelled) return sdw_fail(err, SDW_CANCELLED, "%s: stopped; what was fetched is kept and the next run goes on from there", p->plan->id);
    if (p->status != SDW_OK && err) *err = p->err;
    return p->status;
}

static sdw_status run_workers(const sdw_hub_settings *settings, const sdw_hub_plan *plan, const sdw_hub_hooks *hooks, sdw_error *err)
{
    pull *p = sdw_calloc(1, sizeof *p);
    if (!p) return sdw_fail_memory(err, "pull", sizeof *p);
    p->settings = settings;
    p->plan = plan;
    p->hooks = hooks;
    p->file = "";
    p->done = plan->bytes - plan->bytes_missing;
    p->worker_hooks = (sdw_hub_hooks){ .ctx = p, .cancelled = worker_cancelled, .wait = hooks && hooks->wait ? worker_wait : NULL,
                                       .note = worker_note, .warn = worker_warn };
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    sdw_status s = run(p, err);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    sdw_free(p);
    return s;
}

/* Bytes of a missing task that lie in the cache already: its blob, or a beginning of it. */
static sdw_status bytes_there(const sdw_hub_settings *settings, const sdw_hub_plan *plan, const sdw_hub_task *t, uint64_t *ret, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    const char *hash = plan->order[t->first]->hash;
    *ret = 0;
    if (!hash[0]) return SDW_OK;
    sdw_status s = sdw_hub_place_of(settings->cache, plan->id, SDW_HUB_BLOB, hash, path, err);
    if (s == SDW_OK && sdw_hub_file_bytes(path) == t->size) *ret = t->size;
    if (s != SDW_OK || *ret) return s;
    s = sdw_hub_place_of(settings->cache, plan->id, SDW_HUB_PARTIAL, hash, path, err);
    if (s == SDW_OK && sdw_hub_file_bytes(path) <= t->size) *ret = sdw_hub_file_bytes(path);
    return s;
}

/* All of it must fit; each file is checked again when its turn comes. */
static sdw_status check_space(const sdw_hub_settings *settings, const sdw_hub_plan *plan, sdw_error *err)
{
    uint64_t bytes = plan->bytes_missing, there = 0;
    for (size_t i = 0; i < plan->task_count; i++) {
        if (plan->tasks[i].present) continue;
        sdw_status s = bytes_there(settings, plan, &plan->tasks[i], &there, err);
        if (s != SDW_OK) return s;
        bytes -= there;
    }
    return sdw_hub_check_space(settings->cache, bytes, err);
}

sdw_status sdw_hub_pull_plan(const sdw_hub_settings *settings, const sdw_hub_plan *plan, const sdw_hub_hooks *hooks, sdw_error *err)
{
    if (plan->from_cache) return SDW_OK;
    sdw_status s = SDW_OK;
    if (plan->files_missing) {
        s = check_space(settings, plan, err);
        if (s == SDW_OK) s = sdw_hub_cache_prepare(settings->cache, err);
        if (s == SDW_OK) s = sdw_hub_cache_write_tree(settings->cache, plan->id, plan->commit, &plan->listing, err);
        if (s == SDW_OK) s = run_workers(settings, plan, hooks, err);
        return s == SDW_OK ? sdw_hub_cache_write_ref(settings->cache, plan->id, plan->revision, plan->commit, err) : s;
    }
    /* All is there: a cache that cannot be written to is as good as another. */
    sdw_hub_cache_write_tree(settings->cache, plan->id, plan->commit, &plan->listing, NULL);
    sdw_hub_cache_write_ref(settings->cache, plan->id, plan->revision, plan->commit, NULL);
    return SDW_OK;
}

sdw_status sdw_hub_pull(const sdw_hub_settings *settings, const sdw_hub_wish *w, const sdw_hub_hooks *hooks,
                        char ret_path[SDW_HUB_PATH_MAX], sdw_hub_kind *ret_kind, sdw_error *err)
{
    sdw_hub_client *client = NULL;
    sdw_hub_plan plan = { 0 };
    sdw_status s = sdw_hub_client_open(settings, hooks, &client, err);
    if (s == SDW_OK) s = sdw_hub_plan_make(client, w, &plan, ret_kind, err);
    sdw_hub_client_close(client);
    if (s == SDW_OK) s = sdw_hub_pull_plan(settings, &plan, hooks, err);
    if (s == SDW_OK) memcpy(ret_path, plan.path, sizeof plan.path);
    sdw_hub_plan_finish(&plan);
    return s;
}
