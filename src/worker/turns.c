/* turns.c - one unit of work: a prompt encoding, a slice of a picture's way in or out, or one model evaluation that all
 * jobs of one key share; and what follows from it for the jobs. */
#include "core/clock.h"
#include "core/mem.h"
#include "worker/engine_thread.h"

/* ---- after a unit ---- */

static void report_step(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s)
{
    bool event = t->preview_every > 0 && ((s->step - 1) % t->preview_every == 0 || s->step == s->total);
    bool decoded = event && t->preview == SDW_PREVIEW_VAE;
    t->reported = s->steps_run;
    pthread_mutex_lock(&w->mutex);
    t->step = s->step;
    t->total = s->total;
    w->steps_done++;
    bool wanted = t->preview_wanted;
    t->preview_wanted = false;
    pthread_mutex_unlock(&w->mutex);
    sdw_worker_tell(w, t, &(sdw_event){ .kind = SDW_EVENT_PROGRESS, .step = s->step, .total = s->total });
    if (decoded) sdw_preview_begin(w, t, s);
    if ((event && !decoded) || wanted) sdw_preview_project(w, t, s, event && !decoded);
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
        sdw_engine_fail(w, t, sdw_worker_code(status), err.text);
        return;
    }
    task->kind = SDW_DESK_RESULT;
    task->ticket = t;
    task->params = t->resolved;
    task->width = t->resolved.width;
    task->height = t->resolved.height;
    task->preview_first = t->preview_last > 0;
    task->step = task->total = t->preview_last;
    sdw_engine_leave(w, t);
    sdw_desk_put(w, task); /* which ends it, holding it from here */
    pthread_mutex_lock(&w->mutex);
    sdw_worker_drop(w, t);
    pthread_mutex_unlock(&w->mutex);
}

static void after_unit(sdw_worker *w, sdw_ticket *t, sdw_status status, const sdw_error *err)
{
    sdw_exec_state s;
    if (status == SDW_CANCELLED && sdw_ticket_wish(w, t)) return; /* ended by the next action */
    if (status != SDW_OK) {
        sdw_engine_fail(w, t, sdw_worker_code(status), err->text);
        return;
    }
    w->x->job_state(t->run, &s);
    if (s.steps_run > t->reported) report_step(w, t, &s);
    t->sliced = s.phase == SDW_PHASE_ENCODE || s.phase == SDW_PHASE_DECODE;
    if (w->slicing == t && !t->sliced) w->slicing = NULL;
    if (s.phase != SDW_PHASE_STEP) sdw_preview_end(w, t);
    else t->look_next = t->looking;
    if (s.phase == SDW_PHASE_DONE) finish(w, t);
}

/* ---- turns ---- */

static bool same_key(const sdw_exec_state *a, const sdw_exec_state *b)
{
    return a->phase == SDW_PHASE_STEP && b->phase == SDW_PHASE_STEP && a->key.height == b->key.height && a->key.width == b->key.width &&
           a->key.tokens == b->key.tokens;
}

/* Pictures of t that want an evaluation now: those that had the fewest. */
static int add_pictures(sdw_worker *w, sdw_ticket *t, int pictures, sdw_exec_turn *turns, sdw_ticket **owner, int room)
{
    int least = -1, count = 0;
    for (int p = 0; p < pictures; p++) {
        int had = w->x->evaluations(t->run, p);
        if (had >= 0 && (least < 0 || had < least)) least = had;
    }
    for (int p = 0; p < pictures && count < room; p++) {
        if (w->x->evaluations(t->run, p) != least || least < 0) continue;
        owner[count] = t;
        turns[count++] = (sdw_exec_turn){ .job = t->run, .picture = p };
    }
    return count;
}

/* The pictures that share this evaluation: those of the first job, then of the others. rows: of each, for the memory. */
static int gather(sdw_worker *w, sdw_ticket *first, const sdw_exec_state *s, sdw_exec_turn *turns, sdw_ticket **owner, int *rows)
{
    int count = 0;
    for (int i = -1; i < w->active_count && count < w->batch_max; i++) {
        sdw_ticket *t = i < 0 ? first : w->active[i];
        sdw_exec_state other;
        if (i >= 0 && t == first) continue;
        w->x->job_state(t->run, &other);
        if (!same_key(s, &other)) continue;
        int n = add_pictures(w, t, other.pictures, turns + count, owner + count, w->batch_max - count);
        for (int k = 0; k < n; k++) rows[count + k] = other.rows;
        count += n;
    }
    return count;
}

/* The most of them that memory allows; 0: not even one, as long as somebody else's decoding holds some. */
static int that_fit(sdw_worker *w, sdw_ticket *first, const int *rows, int count)
{
    for (; count > 0; count--) {
        int sum = 0;
        for (int i = 0; i < count; i++) sum += rows[i];
        if (w->x->fits(first->entry->model, first->run, sum)) return count;
    }
    return w->slicing && w->slicing != first ? 0 : 1; /* alone it was found to fit when it was accepted */
}

static sdw_status evaluate(sdw_worker *w, sdw_ticket *first, sdw_exec_turn *turns, sdw_ticket **owner, int *count, sdw_error *err)
{
    sdw_status status;
    for (;;) {
        sdw_unit_begin(w, first->entry, owner, *count);
        double begun = sdw_clock_monotonic_s();
        status = w->x->step(first->entry->model, turns, *count, err);
        sdw_unit_end(w);
        if (status == SDW_OK) sdw_stats_stage(&w->stats, SDW_STAGE_DENOISE, sdw_clock_monotonic_s() - begun);
        if (status != SDW_NO_MEMORY || *count == 1) return status;
        *count = 1; /* together it was too much: one picture, the others at their own turn */
    }
}

/* false: there is no memory for it as long as w->slicing holds some. */
static bool step_turn(sdw_worker *w, sdw_ticket *first, const sdw_exec_state *s)
{
    sdw_exec_turn turns[SDW_ACTIVE_MAX];
    sdw_ticket *owner[SDW_ACTIVE_MAX];
    int rows[SDW_ACTIVE_MAX];
    sdw_error err = { 0 };
    int count = that_fit(w, first, rows, gather(w, first, s, turns, owner, rows));
    if (count == 0) return false;
    sdw_status status = evaluate(w, first, turns, owner, &count, &err);
    for (int i = 0; i < count; i++) owner[i]->served = w->turns;
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
        if (own == SDW_CANCELLED && status != SDW_OK && !sdw_ticket_wish(w, t)) continue; /* somebody else was meant: again next time */
        after_unit(w, t, own, why);
    }
    return true;
}

static uint64_t prompt_hits(const sdw_worker *w, const sdw_ticket *t)
{
    return w->x->prompt_hits ? w->x->prompt_hits(t->entry->model) : 0;
}

static void advance_turn(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s)
{
    sdw_error err = { 0 };
    if (s->phase == SDW_PHASE_ENCODE || s->phase == SDW_PHASE_DECODE) w->slicing = t;
    w->heard = t;
    sdw_unit_begin(w, t->entry, &t, 1);
    double begun = sdw_clock_monotonic_s();
    uint64_t hits = prompt_hits(w, t);
    sdw_status status = t->look_next ? sdw_preview_go_on(w, t, &err) : w->x->advance(t->run, &err);
    sdw_unit_end(w);
    w->heard = NULL;
    if (status == SDW_OK) sdw_stats_stage(&w->stats, sdw_stage_of(s->phase), sdw_clock_monotonic_s() - begun);
    hits = prompt_hits(w, t) - hits;
    if (hits) sdw_stats_hits(&w->stats, SDW_CACHE_TEXT_EMBED, hits);
    after_unit(w, t, status, &err);
}

void sdw_engine_turn(sdw_worker *w, sdw_ticket *t)
{
    sdw_exec_state s;
    w->turns++;
    t->served = w->turns;
    pthread_mutex_lock(&w->mutex);
    bool early = t->early;
    t->early = false;
    pthread_mutex_unlock(&w->mutex);
    if (early) w->x->finish_early(t->run);
    w->x->job_state(t->run, &s);
    t->sliced = s.phase == SDW_PHASE_ENCODE || s.phase == SDW_PHASE_DECODE;
    sdw_ticket *holder = w->slicing && w->slicing != t ? w->slicing : NULL;
    bool done = true;
    if (s.phase == SDW_PHASE_STEP && !t->look_next) done = step_turn(w, t, &s);
    else if (holder && (t->sliced || !w->x->fits(t->entry->model, t->run, 0))) done = false;
    else advance_turn(w, t, &s);
    if (done) return;
    w->x->job_state(holder->run, &s); /* first what holds the memory */
    holder->served = w->turns;
    advance_turn(w, holder, &s);
}

