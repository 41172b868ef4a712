/* worker_impl.h - the worker behind sdw/worker.h; shared by the files of this folder only.
 *
 * Three kinds of threads: callers (any number), the engine thread (executor, active jobs), the desk thread (pictures
 * encoded, results let go in time). One mutex guards the tables and the tickets' shared fields; it is never held
 * across the executor, the codecs, the disk or a callback. */
#ifndef SDW_WORKER_WORKER_IMPL_H
#define SDW_WORKER_WORKER_IMPL_H

#include <pthread.h>

#include "worker/journal.h"
#include "worker/stats.h"
#include "worker/store.h"
#include "worker/ticket.h"

enum { SDW_TICKET_BUCKETS = 4096, SDW_ACTIVE_MAX = 64 };

typedef enum sdw_desk_kind { SDW_DESK_PREVIEW, SDW_DESK_RESULT } sdw_desk_kind;

typedef struct sdw_desk_task {
    struct sdw_desk_task *next;
    sdw_desk_kind kind;
    sdw_ticket *ticket;          /* held */
    sdw_params params;           /* RESULT: resolved, borrows the ticket's */
    int step, total;             /* PREVIEW */
    bool event;                  /* PREVIEW: told to readers, or only kept as the latest */
    bool preview_first;          /* RESULT: picture 0 is a preview (of step, total) too */
    int width, height;           /* PREVIEW: of the result */
    int count;
    sdw_picture picture[SDW_JOB_PICTURES_MAX]; /* pixels by sdw_malloc, owned */
    uint64_t seed[SDW_JOB_PICTURES_MAX];
} sdw_desk_task;

struct sdw_worker {
    /* Fixed by open. */
    const sdw_executor *x;
    int queue_max, batch_max, preview_every;
    uint64_t queue_bytes_max;
    double job_timeout;
    sdw_worker_wake_fn *wake;
    void *wake_ctx;
    sdw_worker_log_fn *log;
    void *log_ctx;
    sdw_worker_find_fn *find;
    void *find_ctx;
    sdw_idempotency *keys;       /* these four are keeping.c's, and have locks of their own */
    sdw_store *store;
    sdw_state_dir *state_dir;    /* NULL: memory only, and no journal */
    sdw_journal *journal;
    bool keeps;                  /* unfinished jobs are kept when the worker stops */

    sdw_stats stats;             /* has its own mutex */
    pthread_t engine_thread, desk_thread;
    bool engine_runs, desk_runs; /* the caller of open and close */
    pthread_mutex_t settling;    /* taken before the other one, and alone while ends are written: whoever comes second
                                    finds them written */
    pthread_mutex_t mutex;
    pthread_cond_t engine_cond, desk_cond; /* CLOCK_MONOTONIC */

    /* Guarded by the mutex. */
    bool stopping, stop_now, abandoned, closing, engine_done;
    uint64_t orders;
    sdw_ticket *newest, *oldest; /* all tickets in the table */
    sdw_ticket *bucket[SDW_TICKET_BUCKETS];
    sdw_ticket *queue;           /* by order */
    int queued, accepting;       /* accepting: submits under way that have a place */
    uint64_t queue_bytes;        /* of both */
    sdw_ticket *active[SDW_ACTIVE_MAX]; /* running jobs with engine state */
    int active_count, active_pictures;
    int finishing;               /* jobs on the desk, out of the engine */
    sdw_ticket *noted;           /* held; to be told to journal and store */
    double noted_after;          /* monotonic; not before, since the last try failed */
    bool unsynced;               /* ends were written, and their sync was not begun */
    sdw_ticket *dead;            /* without holders, to be freed by the desk */
    sdw_model_entry *dead_models;/* the same for the engine thread */
    sdw_model_entry *model[SDW_MODELS_MAX];
    int model_count;
    sdw_model_entry *current;
    sdw_model_entry *load_wanted;/* held; before further jobs start */
    sdw_error load_error;
    uint64_t uses;
    sdw_desk_task *desk_first, **desk_last;
    int desk_tasks;
    sdw_ticket *unit_of[SDW_ACTIVE_MAX]; /* the jobs that the running unit works for; a load works for none */
    int unit_jobs;
    sdw_model_entry *unit_model; /* of the running unit or load */
    uint64_t steps_done, images_done, pixels_done, jobs_completed, jobs_failed, jobs_cancelled;

    /* The engine thread's alone. */
    uint64_t turns;
    sdw_ticket *slicing;         /* has an unfinished encoding or decoding; others begin none */
    sdw_ticket *heard;           /* whose unit may warn */
};

/* ---- worker.c: tables; the mutex is held ---- */
sdw_ticket *sdw_worker_find(sdw_worker *w, const char *id);
void sdw_worker_hold(sdw_ticket *t);
void sdw_worker_drop(sdw_worker *w, sdw_ticket *t); /* accepts NULL */
void sdw_worker_insert(sdw_worker *w, sdw_ticket *t); /* the table becomes a holder */
void sdw_worker_forget(sdw_worker *w, sdw_ticket *t);
void sdw_worker_enqueue(sdw_worker *w, sdw_ticket *t); /* the queue is no holder: the table is */
void sdw_worker_dequeue(sdw_worker *w, sdw_ticket *t);
void sdw_worker_drop_model(sdw_worker *w, sdw_model_entry *m); /* accepts NULL */
sdw_model_entry *sdw_worker_find_model(sdw_worker *w, const char *id);
/* The end of a job, whatever its state: terminal event, end marker, counts. text and code: FAILED. No allocation. The desk
 * tells journal and store; whoever answers a client calls sdw_keeping_settle itself, after the lock. */
void sdw_worker_end(sdw_worker *w, sdw_ticket *t, sdw_job_status status, const char *code, sdw_blob *text, const char *message);
/* A running job that will end so: told in the same way, in case the process ends before the engine lets go of it. */
void sdw_worker_note_cancelling(sdw_worker *w, sdw_ticket *t);
/* Not ended, but kept for the next start; told in the same way. */
void sdw_worker_keep(sdw_worker *w, sdw_ticket *t);
/* Makes the running unit stop if every job that it works for is to end. */
void sdw_worker_interrupt(sdw_worker *w);

/* ---- no lock held ---- */
void sdw_worker_wake(sdw_worker *w, const sdw_job_id *id);
/* printf form. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
void sdw_worker_log(sdw_worker *w, int level, const sdw_job_id *id, const char *format, ...);
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
void sdw_worker_narrate(sdw_worker *w, sdw_ticket *t, const char *action, const char *format, ...);
/* Adds an event (taking its blobs over) and wakes readers. */
void sdw_worker_tell(sdw_worker *w, sdw_ticket *t, const sdw_event *e);
/* Ends a job with FAILED. */
void sdw_worker_fail(sdw_worker *w, sdw_ticket *t, const char *code, const char *message);
/* "VRAM_OOM" and so on, for an error of the executor. */
const char *sdw_worker_code(sdw_status status);

void *sdw_worker_engine_main(void *worker);
void *sdw_worker_desk_main(void *worker);
/* Hands a task to the desk. */
void sdw_desk_put(sdw_worker *w, sdw_desk_task *task);
void sdw_desk_task_free(sdw_desk_task *task); /* accepts NULL; drops no ticket */

#endif
