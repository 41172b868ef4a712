/* engine_thread.c - whose turn it is: the one thread that owns models and running jobs.
 *
 * It asks for the next thing to do under the mutex (next), and does it without. A turn is one unit of work: a prompt
 * encoding, a slice of a picture's way in or out, or one model evaluation that all jobs of one key share. Who waited
 * longest comes first, so a long decode and other jobs' steps alternate. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/worker_impl.h"

typedef enum action_kind { ACT_EXIT, ACT_CLOSE_MODEL, ACT_END, ACT_UNLOAD, ACT_LOAD, ACT_START, ACT_TURN } action_kind;

typedef struct action {
    action_kind kind;
    sdw_ticket *ticket;          /* END, START, TURN; LOAD: who waits for it, or NULL */
    sdw_model_entry *entry;      /* CLOSE_MODEL, UNLOAD, LOAD (held) */
} action;

static void lock(sdw_worker *w)
{
    pthread_mutex_lock(&w->mutex);
}

static void unlock(sdw_worker *w)
{
    pthread_mutex_unlock(&w->mutex);
}

/* ---- what is next; the mutex is held ---- */

static sdw_ticket *to_end(sdw_worker *w)
{
    double now = sdw_clock_monotonic_s();
    for (int i = 0; i < w->active_count; i++) {
        sdw_ticket *t = w->active[i];
        if (!t->wish && t->deadline > 0 && now >= t->deadline) t->wish = SDW_WISH_TIMEOUT;
        if (t->wish) return t;
    }
    return NULL;
}

static sdw_model_entry *to_unload(sdw_worker *w)
{
    for (int i = 0; i < w->model_count; i++)
        if (w->model[i]->unload_wanted && !w->model[i]->running) return w->model[i];
    return NULL;
}

/* Jobs start in the order of their POSTs: only the first of the queue is looked at. */
static bool may_start(const sdw_worker *w, const sdw_ticket *t)
{
    int pictures = t->params.count > 0 ? t->params.count : 1;
    if (w->active_count == 0) return true;
    if (w->active[0]->entry != t->entry || w->active_count == SDW_ACTIVE_MAX) return false;
    return w->active_pictures + pictures <= w->batch_max;
}

static sdw_ticket *longest_waiting(const sdw_worker *w)
{
    sdw_ticket *best = NULL;
    for (int i = 0; i < w->active_count; i++)
        if (!best || w->active[i]->served < best->served) best = w->active[i];
    return best;
}

static bool find_action(sdw_worker *w, action *a)
{
    *a = (action){ 0 };
    if (w->dead_models) {
        *a = (action){ .kind = ACT_CLOSE_MODEL, .entry = w->dead_models };
        w->dead_models = a->entry->next_dead;
        return true;
    }
    if ((a->ticket = to_end(w))) {
        a->kind = ACT_END;
        return true;
    }
    if (w->closing && !w->active_count) {
        a->kind = ACT_EXIT;
        return true;
    }
    if (!w->active_count && (a->entry = to_unload(w))) {
        a->kind = ACT_UNLOAD;
        a->entry->holders++;
        return true;
    }
    if (!w->active_count && w->load_wanted && !w->stopping) {
        *a = (action){ .kind = ACT_LOAD, .entry = w->load_wanted };
        w->load_wanted = NULL;
        return true;
    }
    sdw_ticket *first = w->load_wanted || w->stopping ? NULL : w->queue;
    if (first && may_start(w, first)) {
        *a = (action){ .kind = first->entry->loaded ? ACT_START : ACT_LOAD, .ticket = first };
        sdw_worker_hold(first);
        if (a->kind == ACT_LOAD) {
            a->entry = first->entry;
            a->entry->holders++;
        }
        return true;
    }
    *a = (action){ .kind = ACT_TURN, .ticket = longest_waiting(w) };
    return a->ticket != NULL;
}

static void next(sdw_worker *w, action *a)
{
    lock(w);
    while (!find_action(w, a)) pthread_cond_wait(&w->engine_cond, &w->mutex);
    unlock(w);
}

/* ---- leaving the engine ---- */

/* Takes the job out of the active ones. The engine's hold goes to the caller. */
static void leave(sdw_worker *w, sdw_ticket *t, bool to_desk)
{
    w->x->job_free(t->run);
    t->run = NULL;
    lock(w);
    int i = 0;
    while (w->active[i] != t) i++;
    for (; i + 1 < w->active_count; i++) w->active[i] = w->active[i + 1];
    w->active_count--;
    w->active_pictures -= t->slots;
    t->active = false;
    t->entry->running--;
    if (to_desk) w->finishing++;
    unlock(w);
}

static void release(sdw_worker *w, sdw_ticket *t)
{
    lock(w);
    sdw_worker_drop(w, t);
    unlock(w);
}

/* What others want of a job, as of now. */
static sdw_wish wish_of(sdw_worker *w, const sdw_ticket *t)
{
    lock(w);
    sdw_wish wish = t->wish;
    unlock(w);
    return wish;
}

static void fail_job(sdw_worker *w, sdw_ticket *t, const char *code, const char *message)
{
    leave(w, t, false);
    sdw_worker_fail(w, t, code, message);
    release(w, t);
}

static void end_job(sdw_worker *w, sdw_ticket *t)
{
    char text[SDW_ERROR_TEXT_MAX];
    sdw_wish wish = wish_of(w, t);
    if (wish == SDW_WISH_TIMEOUT) {
        snprintf(text, sizeof text, "the job ran longer than its limit of %g s", t->timeout);
        fail_job(w, t, "TIMEOUT", text);
        return;
    }
    leave(w, t, false);
    lock(w);
    if (wish == SDW_WISH_KEEP) sdw_worker_keep(w, t);
    else sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    unlock(w);
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
    release(w, t);
}

/* ---- models ---- */

static uint64_t weight_bytes(const sdw_executor *x, const sdw_exec_model *m)
{
    const sdw_model_info *info = x->info(m);
    uint64_t bytes = 0;
    for (int i = 0; i < info->part_count; i++) bytes += info->parts[i].packed_bytes;
    return bytes;
}

static void unload(sdw_worker *w, sdw_model_entry *m)
{
    if (m->model) w->x->unload(m->model);
    lock(w);
    bool was = m->loaded;
    m->loaded = m->unload_wanted = false;
    m->layers_loaded = 0;
    m->held = m->model ? w->x->held(m->model) : 0;
    unlock(w);
    if (was) sdw_worker_log(w, 2, NULL, "model %s unloaded", m->id);
    sdw_worker_wake(w, NULL);
}

/* The least recently used of the loaded ones other than m. */
static sdw_model_entry *to_evict(sdw_worker *w, const sdw_model_entry *m, uint64_t *ret_held)
{
    sdw_model_entry *oldest = NULL;
    *ret_held = 0;
    lock(w);
    for (int i = 0; i < w->model_count; i++) {
        sdw_model_entry *o = w->model[i];
        if (o == m || !o->loaded) continue;
        *ret_held += o->held;
        if (!oldest || o->last_use < oldest->last_use) oldest = o;
    }
    unlock(w);
    return oldest;
}

static void make_room(sdw_worker *w, sdw_model_entry *m)
{
    uint64_t held, weights = weight_bytes(w->x, m->model), limit = w->x->memory_limit(m->model);
    sdw_model_entry *o;
    while ((o = to_evict(w, m, &held)) && (held > limit || weights + weights / 2 > limit - held)) unload(w, o); /* half as much again to work in */
}

typedef struct load_watch {
    sdw_worker *w;
    sdw_model_entry *m;
} load_watch;

static bool on_loading(void *ctx, int done, int total)
{
    load_watch *l = ctx;
    lock(l->w);
    l->m->layers_loaded = done;
    l->m->layers_total = total;
    bool go_on = !l->w->stop_now;
    unlock(l->w);
    sdw_worker_wake(l->w, NULL);
    return go_on;
}

static void log_warning(void *ctx, const char *sentence)
{
    sdw_worker_log(ctx, 1, NULL, "%s", sentence);
}

static sdw_status open_and_pack(sdw_worker *w, sdw_model_entry *m, sdw_error *err)
{
    sdw_status status = SDW_OK;
    if (!m->model) { /* only this thread sets it */
        sdw_engine_options o = m->options;
        sdw_exec_model *model;
        o.warn = log_warning;
        o.warn_ctx = w;
        status = w->x->open(&o, &model, err);
        if (status != SDW_OK) return status;
        lock(w);
        m->model = model;
        if (w->stop_now) w->x->cancel(model, true);
        unlock(w);
        sdw_worker_wake(w, NULL);
    }
    make_room(w, m);
    load_watch l = { w, m };
    status = w->x->load(m->model, on_loading, &l, err);
    if (status != SDW_OK) w->x->unload(m->model);
    return status;
}

static void begin_unit(sdw_worker *w, sdw_model_entry *m, sdw_ticket *alone)
{
    lock(w);
    w->unit_model = m;
    w->unit_of = alone;
    if (w->stop_now && m->model) w->x->cancel(m->model, true);
    unlock(w);
}

static void end_unit(sdw_worker *w)
{
    lock(w);
    if (w->unit_model->model) w->x->cancel(w->unit_model->model, false);
    w->unit_model = NULL;
    w->unit_of = NULL;
    unlock(w);
}

/* Every queued job that wants this model fails: it would only load again in vain. */
static void fail_waiting(sdw_worker *w, sdw_model_entry *m, const char *message)
{
    for (;;) {
        lock(w);
        sdw_ticket *t = w->queue;
        while (t && t->entry != m) t = t->next;
        if (t) {
            sdw_worker_dequeue(w, t);
            t->status = SDW_JOB_RUNNING; /* nobody else ends it */
            sdw_worker_hold(t);
        }
        unlock(w);
        if (!t) return;
        sdw_worker_fail(w, t, "MODEL_LOAD_FAILED", message);
        release(w, t);
    }
}

static void load(sdw_worker *w, sdw_model_entry *m, sdw_ticket *waiting)
{
    sdw_error err = { 0 };
    lock(w);
    m->loading = true;
    m->last_use = ++w->uses;
    unlock(w);
    begin_unit(w, m, NULL);
    sdw_worker_log(w, 2, NULL, "model %s: loading", m->id);
    if (waiting) sdw_worker_narrate(w, waiting, "model_loading_start", "Loading model %s", m->id);
    sdw_worker_wake(w, NULL);
    double start = sdw_clock_monotonic_s();
    sdw_status status = open_and_pack(w, m, &err);
    end_unit(w);
    lock(w);
    m->loading = false;
    m->loaded = status == SDW_OK;
    m->held = m->model ? w->x->held(m->model) : 0;
    if (status != SDW_OK) w->load_error = err;
    else w->load_error = (sdw_error){ 0 };
    bool stopping = w->stopping;
    unlock(w);
    if (status == SDW_OK) {
        sdw_worker_log(w, 2, NULL, "model %s: loaded in %.2f s", m->id, sdw_clock_monotonic_s() - start);
        if (waiting) sdw_worker_narrate(w, waiting, "model_loading_complete", "Model %s loaded in %.2f s", m->id, sdw_clock_monotonic_s() - start);
    } else if (!stopping) {
        sdw_worker_log(w, 0, NULL, "model %s: %s", m->id, err.text);
        fail_waiting(w, m, err.text);
    }
    sdw_worker_wake(w, NULL);
}

/* ---- starting a job ---- */

static void on_warning(void *ctx, const char *sentence)
{
    sdw_worker *w = ctx;
    if (w->heard) sdw_worker_narrate(w, w->heard, "warning", "%s", sentence);
}

static sdw_status check_cost(sdw_worker *w, const sdw_ticket *t, sdw_exec_cost *ret, sdw_error *err)
{
    sdw_status status = w->x->cost(t->entry->model, &t->resolved, ret, err);
    uint64_t limit = w->x->memory_limit(t->entry->model);
    if (status != SDW_OK || ret->total <= limit) return status;
    return sdw_fail(err, SDW_INVALID, "%d x %d needs %llu bytes of memory, the limit is %llu", t->resolved.width, t->resolved.height,
                    (unsigned long long)ret->total, (unsigned long long)limit);
}

/* Room for every step, preview and sentence, so that telling never allocates. */
static bool reserve_events(sdw_worker *w, sdw_ticket *t)
{
    int capacity = SDW_NARRATIONS_MAX + SDW_EVENT_ENDS + SDW_PREVIEWS_KEPT + t->resolved.steps * t->resolved.count;
    sdw_event *fresh = sdw_event_array(capacity);
    if (!fresh) return false;
    lock(w);
    sdw_event *old = sdw_event_list_grow(&t->events, fresh, capacity);
    unlock(w);
    sdw_free(old);
    return true;
}

static void show_params(sdw_worker *w, sdw_ticket *t)
{
    sdw_blob *json = sdw_ticket_params_json(t, &t->resolved);
    if (!json) return; /* the request as given stays to be seen */
    lock(w);
    sdw_blob *old = t->params_json;
    t->params_json = json;
    unlock(w);
    sdw_blob_unref(old);
}

static sdw_status prepare(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    sdw_exec_cost cost;
    w->heard = t;
    sdw_status status = w->x->resolve(t->entry->model, &t->params, &t->resolved, NULL, err);
    if (status == SDW_OK) status = check_cost(w, t, &cost, err);
    if (status == SDW_OK && !reserve_events(w, t)) status = sdw_fail_memory(err, "events", 0);
    if (status != SDW_OK) return status;
    show_params(w, t);
    sdw_worker_narrate(w, t, "generation_start", "Generating %d picture%s of %d x %d in %d steps", t->resolved.count, t->resolved.count == 1 ? "" : "s",
                       t->resolved.width, t->resolved.height, t->resolved.steps);
    if (t->params.init_image && !t->params.width && !t->params.height && !t->resolved.inpaint_full_res &&
        (t->params.init_image->width != t->resolved.width || t->params.init_image->height != t->resolved.height))
        sdw_worker_narrate(w, t, "warning", "the input picture of %d x %d is scaled to %d x %d", t->params.init_image->width, t->params.init_image->height,
                           t->resolved.width, t->resolved.height);
    if (cost.tokens > 77 && !t->resolved.truncate)
        sdw_worker_narrate(w, t, "warning", "the prompt is longer than 75 tokens and is encoded in %d chunks", cost.tokens / 77);
    return w->x->job_create(t->entry->model, &t->resolved, on_warning, w, &t->run, err);
}

/* From the queue to the active ones; false if it was cancelled meanwhile. */
static bool enter(sdw_worker *w, sdw_ticket *t)
{
    lock(w);
    bool queued = t->in_queue;
    if (queued) {
        sdw_worker_dequeue(w, t);
        t->active = true;
        t->status = SDW_JOB_RUNNING;
        t->started = sdw_clock_monotonic_s();
        t->started_at = sdw_clock_wall_s();
        t->deadline = t->timeout > 0 ? t->started + t->timeout : 0;
        t->slots = t->params.count > 0 ? t->params.count : 1;
        t->served = w->turns;
        t->entry->running++;
        t->entry->last_use = ++w->uses;
        w->active[w->active_count++] = t;
        w->active_pictures += t->slots;
        pthread_cond_signal(&w->desk_cond); /* watches deadlines */
    }
    unlock(w);
    return queued;
}

static void start(sdw_worker *w, sdw_ticket *t)
{
    sdw_error err = { 0 };
    if (!enter(w, t)) {
        release(w, t);
        return;
    }
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
    sdw_status status = prepare(w, t, &err);
    if (status != SDW_OK) {
        fail_job(w, t, sdw_worker_code(status), err.text);
        return;
    }
    sdw_exec_state s;
    w->x->job_state(t->run, &s);
    lock(w);
    t->total = s.total;
    t->pictures = t->resolved.count;
    unlock(w);
}

/* ---- after a unit ---- */

static void request_preview(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s, bool event)
{
    enum { PENDING_MAX = 4 };
    lock(w);
    bool late = t->previews_pending >= PENDING_MAX;
    if (!late) t->previews_pending++;
    unlock(w);
    if (late) return; /* skipped, as the protocol allows */
    sdw_desk_task *task = sdw_calloc(1, sizeof *task);
    if (task && w->x->preview(t->run, &task->picture[0], NULL) == SDW_OK) {
        task->kind = SDW_DESK_PREVIEW;
        task->ticket = t;
        task->step = s->step;
        task->total = s->total;
        task->event = event;
        task->width = t->resolved.width;
        task->height = t->resolved.height;
        task->count = 1;
        sdw_desk_put(w, task);
        return;
    }
    sdw_free(task);
    lock(w);
    t->previews_pending--;
    unlock(w);
}

static void report_step(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s)
{
    bool event = t->preview_every > 0 && ((s->step - 1) % t->preview_every == 0 || s->step == s->total);
    t->reported = s->step;
    lock(w);
    t->step = s->step;
    t->total = s->total;
    w->steps_done++;
    bool wanted = t->preview_wanted;
    t->preview_wanted = false;
    unlock(w);
    sdw_worker_tell(w, t, &(sdw_event){ .kind = SDW_EVENT_PROGRESS, .step = s->step, .total = s->total });
    if (event || wanted) request_preview(w, t, s, event);
}

/* The pictures go to the desk, which ends the job. */
static void finish(sdw_worker *w, sdw_ticket *t)
{
    sdw_error err = { 0 };
    sdw_desk_task *task = sdw_calloc(1, sizeof *task);
    sdw_status status = task ? SDW_OK : sdw_fail_memory(&err, "result", sizeof *task);
    for (int i = 0; i < t->resolved.count && status == SDW_OK; i++) {
        status = w->x->take(t->run, i, &task->picture[i], &task->seed[i], &err);
        if (status == SDW_OK) task->count = i + 1;
    }
    if (status != SDW_OK) {
        sdw_desk_task_free(task);
        fail_job(w, t, sdw_worker_code(status), err.text);
        return;
    }
    task->kind = SDW_DESK_RESULT;
    task->ticket = t;
    task->params = t->resolved;
    leave(w, t, true);
    sdw_desk_put(w, task); /* holds it from here */
    release(w, t);
}

static void after_unit(sdw_worker *w, sdw_ticket *t, sdw_status status, const sdw_error *err)
{
    sdw_exec_state s;
    if (status == SDW_CANCELLED && wish_of(w, t)) return; /* ended by the next action */
    if (status != SDW_OK) {
        fail_job(w, t, sdw_worker_code(status), err->text);
        return;
    }
    w->x->job_state(t->run, &s);
    if (s.steps_run > 0 && s.step != t->reported) report_step(w, t, &s);
    if (s.phase == SDW_PHASE_DONE) finish(w, t);
}

/* ---- turns ---- */

static bool same_key(const sdw_exec_state *a, const sdw_exec_state *b)
{
    return a->phase == SDW_PHASE_STEP && b->phase == SDW_PHASE_STEP && a->key.height == b->key.height && a->key.width == b->key.width &&
           a->key.tokens == b->key.tokens;
}

/* The pictures that share this evaluation: those of the first job, then of the others by how long they waited. */
static int gather(sdw_worker *w, sdw_ticket *first, const sdw_exec_state *s, sdw_exec_turn *turns, sdw_ticket **owner)
{
    int count = 0;
    for (int i = -1; i < w->active_count && count < w->batch_max; i++) {
        sdw_ticket *t = i < 0 ? first : w->active[i];
        sdw_exec_state other;
        if (i >= 0 && t == first) continue;
        w->x->job_state(t->run, &other);
        if (!same_key(s, &other)) continue;
        for (int p = 0; p < other.pictures && count < w->batch_max; p++) {
            if (w->x->evaluations(t->run, p) < 0) continue;
            owner[count] = t;
            turns[count++] = (sdw_exec_turn){ .job = t->run, .picture = p };
            t->served = w->turns;
        }
    }
    return count;
}

static void step_turn(sdw_worker *w, sdw_ticket *first, const sdw_exec_state *s)
{
    sdw_exec_turn turns[SDW_ACTIVE_MAX];
    sdw_ticket *owner[SDW_ACTIVE_MAX];
    sdw_error err = { 0 };
    int count = gather(w, first, s, turns, owner);
    begin_unit(w, first->entry, owner[0] == owner[count - 1] ? first : NULL);
    sdw_status status = w->x->step(first->entry->model, turns, count, &err);
    end_unit(w);
    for (int i = 0; i < count; i++) {
        sdw_ticket *t = owner[i];
        sdw_status own = status != SDW_OK ? status : turns[i].status;
        const sdw_error *why = status != SDW_OK ? &err : &turns[i].error;
        while (i + 1 < count && owner[i + 1] == t) { /* one answer for all pictures of a job: the first bad one */
            i++;
            if (own == SDW_OK && turns[i].status != SDW_OK) {
                own = turns[i].status;
                why = &turns[i].error;
            }
        }
        if (own == SDW_CANCELLED && status != SDW_OK && !wish_of(w, t)) continue; /* somebody else was meant: again next time */
        after_unit(w, t, own, why);
    }
}

static void turn(sdw_worker *w, sdw_ticket *t)
{
    sdw_exec_state s;
    sdw_error err = { 0 };
    w->turns++;
    t->served = w->turns;
    lock(w);
    bool early = t->early;
    t->early = false;
    unlock(w);
    if (early) w->x->finish_early(t->run);
    w->x->job_state(t->run, &s);
    if (s.phase == SDW_PHASE_STEP) {
        step_turn(w, t, &s);
        return;
    }
    w->heard = t;
    begin_unit(w, t->entry, t);
    sdw_status status = w->x->advance(t->run, &err);
    end_unit(w);
    w->heard = NULL;
    after_unit(w, t, status, &err);
}

/* ---- the thread ---- */

static void act(sdw_worker *w, const action *a)
{
    switch (a->kind) {
    case ACT_CLOSE_MODEL: sdw_model_entry_free(a->entry, w->x); break;
    case ACT_END: end_job(w, a->ticket); break;
    case ACT_UNLOAD: unload(w, a->entry); break;
    case ACT_LOAD: load(w, a->entry, a->ticket); break;
    case ACT_START: start(w, a->ticket); break;
    case ACT_TURN: turn(w, a->ticket); break;
    case ACT_EXIT: break;
    }
    if (a->kind != ACT_LOAD && a->kind != ACT_UNLOAD) return;
    lock(w);
    sdw_worker_drop_model(w, a->entry);
    sdw_worker_drop(w, a->ticket);
    unlock(w);
}

void *sdw_worker_engine_main(void *worker)
{
    sdw_worker *w = worker;
    action a;
    for (next(w, &a); a.kind != ACT_EXIT; next(w, &a)) act(w, &a);
    return NULL;
}
