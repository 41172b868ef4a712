/* previews.c - looks at unfinished pictures: projected from the latents, or decoded in slices beside the steps. Pixels are
 * made here, files of them on the desk. Whatever cannot be had in time or at all is left out. */
#include "core/mem.h"
#include "worker/engine_thread.h"

/* A place on the desk for one more preview; without one it is skipped, as the protocol allows. */
static sdw_desk_task *preview_task(sdw_worker *w, sdw_ticket *t)
{
    enum { PENDING_MAX = SDW_PREVIEWS_KEPT };
    sdw_desk_task *task = sdw_calloc(1, sizeof *task);
    if (!task) return NULL;
    task->kind = SDW_DESK_PREVIEW;
    task->ticket = t;
    task->width = t->resolved.width;
    task->height = t->resolved.height;
    pthread_mutex_lock(&w->mutex);
    bool late = t->previews_pending >= PENDING_MAX;
    if (!late) t->previews_pending++;
    pthread_mutex_unlock(&w->mutex);
    if (!late) return task;
    sdw_free(task);
    return NULL;
}

static void give_preview(sdw_worker *w, sdw_desk_task *task, int step, int total, bool event)
{
    task->count = 1;
    task->step = step;
    task->total = total;
    task->event = event;
    sdw_desk_put(w, task);
}

static void drop_preview(sdw_worker *w, sdw_ticket *t, sdw_desk_task *task)
{
    sdw_free(task);
    pthread_mutex_lock(&w->mutex);
    t->previews_pending--;
    pthread_mutex_unlock(&w->mutex);
}

void sdw_preview_project(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s, bool event)
{
    sdw_desk_task *task = preview_task(w, t);
    if (!task) return;
    if (w->x->preview(t->run, &task->picture[0], NULL) == SDW_OK) give_preview(w, task, s->step, s->total, event);
    else drop_preview(w, t, task);
}

void sdw_preview_end(sdw_worker *w, sdw_ticket *t)
{
    if (t->looking) w->x->preview_end(t->run);
    t->looking = t->look_next = false;
}

/* Begins to decode what there is, unless one is still under way or memory lacks. */
void sdw_preview_begin(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s)
{
    if (s->phase != SDW_PHASE_STEP) { /* the last step: the result will be its preview */
        t->preview_last = s->step;
        return;
    }
    if (t->looking || w->slicing || !w->x->preview_begin || !w->x->fits(t->entry->model, t->run, 0)) return;
    t->looking = t->look_next = w->x->preview_begin(t->run, NULL) == SDW_OK;
    t->look_step = s->step;
    t->look_total = s->total;
}

/* A quarter of it: at every second turn of the job, so that a preview takes four of its steps. */
sdw_status sdw_preview_go_on(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    enum { SLICES = 8 };
    bool done = false;
    sdw_picture picture = { 0 };
    sdw_status status = SDW_OK;
    t->look_next = false;
    for (int i = 0; i < SLICES && !done && status == SDW_OK; i++) status = w->x->preview_slice(t->run, &done, &picture, err);
    if (status != SDW_OK) sdw_preview_end(w, t);
    if (status == SDW_CANCELLED) return status;
    if (!done || status != SDW_OK) return SDW_OK; /* without a preview the job goes on */
    t->looking = false;
    sdw_desk_task *task = preview_task(w, t);
    if (!task) {
        sdw_free(picture.pixels);
        return SDW_OK;
    }
    task->picture[0] = picture;
    give_preview(w, task, t->look_step, t->look_total, true);
    return SDW_OK;
}

