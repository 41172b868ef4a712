/* worker.h - many requests at once: submit, watch, cancel, fetch. One engine thread behind it.
 *
 *     sdw_worker *w; sdw_error err = {0};
 *     sdw_worker_open(&(sdw_worker_options){ .engine = { .model = "path/to/model" } }, &w, &err);
 *     sdw_job_id id; sdw_worker_submit(w, &request, &id, &err);
 *     while (sdw_worker_event(w, &id, after, &event, &err) ...) after = event.number;
 *     sdw_worker_close(w);
 *
 * The worker knows nothing of HTTP. It owns: the engine thread (model, steps), desk threads (pictures encoded and
 * written), the list of jobs with their events and results, and with a state folder the journal. Every function may be
 * called from any thread, never blocks on the engine, and returns at once, except where it says "writes" (disk). */
#ifndef SDW_WORKER_H
#define SDW_WORKER_H

#include "sdw/sdw.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sdw_worker sdw_worker;

/* "job-" and a lower-case UUID version 4, with its NUL. */
#define SDW_JOB_ID_SIZE 41
typedef struct sdw_job_id { char text[SDW_JOB_ID_SIZE]; } sdw_job_id;
/* 128 random bits in hexadecimal, with the NUL: names a stored picture; cannot be guessed. */
#define SDW_OUTPUT_ID_SIZE 33
typedef struct sdw_output_id { char text[SDW_OUTPUT_ID_SIZE]; } sdw_output_id;

/* ---- what a worker is made of ---- */

/* Something changed that a reader may wait for: new events of job `id`, or (id NULL) models, state, queue. Runs on
 * threads of the worker, often; must return at once and must not call back into the worker. */
typedef void sdw_worker_wake_fn(void *ctx, const sdw_job_id *id);
/* One log line. level: 0 error, 1 warning, 2 info, 3 debug. id may be NULL. Any thread. */
typedef void sdw_worker_log_fn(void *ctx, int level, const sdw_job_id *id, const char *sentence);

/* Where a model that is called `name` lies; into `path` of size bytes. Runs on the engine thread before that model is
 * opened for the first time, and may take long (a download) or be told to stop by its owner. */
typedef sdw_status sdw_worker_find_fn(void *ctx, const char *name, char *path, size_t size, sdw_error *err);

/* What runs jobs. NULL in the options = libsdw's engine; tests put one there that needs no weights (worker/executor.h). */
typedef struct sdw_executor sdw_executor;

typedef struct sdw_worker_options {
    sdw_engine_options engine;   /* model NULL: none until sdw_worker_load */
    const char *model_id;        /* what others call the model; NULL = its path's last part */
    const char *state_dir;       /* journal, inputs and outputs; NULL = memory only */
    const sdw_executor *executor;
    int queue_max;               /* waiting jobs; 0 = 128 */
    uint64_t queue_bytes_max;    /* bytes of their inputs; 0 = 1 GiB */
    int batch_max;               /* pictures that may share one step; 0 = what the memory plan allows */
    double job_timeout_s;        /* upper limit of every job's own; 0 = none */
    double result_ttl_s;         /* 0 = 600, with state 7 days */
    uint64_t result_bytes_max;   /* 0 = 256 MiB, with state 10 GiB */
    int results_max;             /* 0 = 64, with state 10000 */
    int preview_every;           /* -1 = 5; 0 = never */
    sdw_worker_wake_fn *wake; void *wake_ctx;
    sdw_worker_log_fn *log; void *log_ctx;
    sdw_worker_find_fn *find; void *find_ctx; /* NULL: models are named by their paths */
} sdw_worker_options;

/* Starts the threads, takes the state folder's lock and queues its unfinished jobs again; the model loads on the
 * engine thread afterwards (sdw_worker_state tells). Writes. BUSY: another worker owns the folder (the text has its pid). */
sdw_status sdw_worker_open(const sdw_worker_options *o, sdw_worker **ret_worker, sdw_error *err);

typedef enum sdw_stop { SDW_STOP_NOW, SDW_STOP_DRAIN } sdw_stop;
/* No new jobs from now on. NOW: running jobs stop between two operations; unfinished ones are cancelled, or kept if
 * there is a state folder (their readers get SDW_EVENT_END_KEPT). DRAIN: running jobs go on, queued ones end as with
 * NOW. May be called again with NOW. Returns at once; sdw_worker_stopped becomes true when every job has ended. */
void sdw_worker_stop(sdw_worker *w, sdw_stop how);
bool sdw_worker_stopped(sdw_worker *w);
/* After a stop with NOW, for a process that cannot wait until the engine lets go of its jobs: they end, or are kept, for
 * readers and on disk at once, and the worker counts as stopped. The operation that runs goes on: close would wait for it. */
void sdw_worker_abandon(sdw_worker *w);
/* Stops with NOW if that was not done, joins all threads, frees everything. NULL is accepted. */
void sdw_worker_close(sdw_worker *w);

/* ---- numbers for dashboards ---- */

/* Upper limits of a histogram's buckets, in seconds; the last bucket has none. */
#define SDW_STATS_LIMITS 16
extern const double sdw_stats_limits[SDW_STATS_LIMITS];
typedef struct sdw_histogram { uint64_t bucket[SDW_STATS_LIMITS + 1]; double sum; } sdw_histogram;

#define SDW_JOB_KINDS 3
/* Units of work: a model load, a prompt or picture encoding, a model evaluation (shared or not), a slice of a decode, a
 * result encoded for its file. */
typedef enum sdw_stage {
    SDW_STAGE_LOAD, SDW_STAGE_TEXT_ENCODE, SDW_STAGE_VAE_ENCODE, SDW_STAGE_DENOISE, SDW_STAGE_VAE_DECODE, SDW_STAGE_ENCODE,
    SDW_STAGE_COUNT
} sdw_stage;
const char *sdw_stage_name(sdw_stage stage); /* "load", "text_encode", ... */
/* What need not be made again: an encoded prompt; a loaded model, when a job starts. */
typedef enum sdw_cache { SDW_CACHE_TEXT_EMBED, SDW_CACHE_MODEL, SDW_CACHE_COUNT } sdw_cache;
const char *sdw_cache_name(sdw_cache cache); /* "text_embed", "model" */

/* Of one model; the last row takes those that came when all others were in use, as "other". */
#define SDW_STATS_MODELS 8
typedef struct sdw_model_stats {
    char model[256];             /* "" = a free row */
    uint64_t images[SDW_JOB_KINDS];
    sdw_histogram run[SDW_JOB_KINDS];
} sdw_model_stats;

/* Counted since open. */
typedef struct sdw_worker_stats {
    uint64_t jobs[SDW_JOB_KINDS][3]; /* by sdw_job_kind; completed, failed, cancelled */
    uint64_t previews, cache_hits[SDW_CACHE_COUNT];
    sdw_histogram queue, stage[SDW_STAGE_COUNT];
    sdw_model_stats model[SDW_STATS_MODELS];
    double load_s;               /* of the last model load; 0 = none yet */
} sdw_worker_stats;
void sdw_worker_stats_of(sdw_worker *w, sdw_worker_stats *ret);

/* ---- models ---- */

typedef enum sdw_worker_phase { SDW_WORKER_NO_MODEL, SDW_WORKER_LOADING, SDW_WORKER_IDLE, SDW_WORKER_BUSY, SDW_WORKER_LOAD_FAILED, SDW_WORKER_STOPPING } sdw_worker_phase;

typedef struct sdw_worker_state {
    sdw_worker_phase phase;
    char model_id[256];          /* loaded, or being loaded */
    int layers_loaded, layers_total; /* while loading: weights packed so far */
    uint64_t memory_bytes;       /* packed weights and activations held now */
    int queued, running, slots;  /* jobs; slots = pictures that may share a step */
    int queue_max;
    uint64_t steps_done, images_done, pixels_done, jobs_completed, jobs_failed, jobs_cancelled; /* since open */
    sdw_error load_error;        /* LOAD_FAILED */
} sdw_worker_state;
void sdw_worker_state_of(sdw_worker *w, sdw_worker_state *ret);

/* Copies of the loaded model's description and defaults; false while none is loaded. Strings live until
 * sdw_worker_model_info_free. */
typedef struct sdw_worker_model_info sdw_worker_model_info; /* holds one sdw_model_info */
bool sdw_worker_model(sdw_worker *w, sdw_worker_model_info **ret);
const sdw_model_info *sdw_worker_model_info_of(const sdw_worker_model_info *m);
void sdw_worker_model_info_free(sdw_worker_model_info *m);

/* Makes `id` with these options the model that jobs without a model of their own use; takes effect after the jobs now
 * running, loads on the engine thread; jobs accepted before keep their model. Others stay loaded within the memory
 * budget, least recently used out first. */
sdw_status sdw_worker_load(sdw_worker *w, const char *id, const sdw_engine_options *o, sdw_error *err);
/* Makes a model known without loading it: jobs that name it load it. Known already with other options: as load. */
sdw_status sdw_worker_add_model(sdw_worker *w, const char *id, const sdw_engine_options *o, sdw_error *err);
/* Frees a model's weights after the jobs now running; jobs that want it load it again. NOT_FOUND. */
sdw_status sdw_worker_unload(sdw_worker *w, const char *id, sdw_error *err);
/* "loaded", "loading", "unloaded" (known, not in memory) or NULL (never heard of). */
const char *sdw_worker_model_status(sdw_worker *w, const char *id);

/* ---- jobs ---- */

typedef enum sdw_job_kind { SDW_JOB_GENERATION, SDW_JOB_TRANSFORM, SDW_JOB_INPAINT } sdw_job_kind;
typedef enum sdw_preview_kind { SDW_PREVIEW_LATENT, SDW_PREVIEW_VAE, SDW_PREVIEW_NONE } sdw_preview_kind;

/* Zero-initialise, then sdw_params_init(&r.params). Everything is copied by submit. */
typedef struct sdw_job_request {
    sdw_params params;
    const char *model;           /* id given to sdw_worker_load; NULL = the current one */
    int preview_every;           /* -1 = the worker's; 0 = never */
    sdw_preview_kind preview;
    const char *format;          /* "png", "jpeg", "webp"; NULL = png */
    int quality;                 /* of jpeg and webp, 1..100; 0 = the codec's */
    double timeout_s;            /* from the job's start; 0 = the worker's */
    const char *face;            /* who asked: "native", "g0", "openai", "sdapi"; kept with the job */
    const char *tag;             /* client's own name of the job, such as force_task_id; may be NULL */
    const char *echo;            /* text kept with the job and its result, such as the client's request; may be NULL */
    const char *const *notes;    /* sentences told as narration "warning" first; NULL-terminated; may be NULL */
    /* Idempotency: same scope and key and hash = the same job again; see replayed. NULL = none. */
    const char *idempotency_scope, *idempotency_key;
    uint8_t body_hash[32];
} sdw_job_request;

typedef enum sdw_submit_answer { SDW_SUBMIT_ACCEPTED, SDW_SUBMIT_REPLAYED } sdw_submit_answer;

/* Checks the request against the loaded model (only what needs no model while it loads), its memory plan, the queue's
 * bounds; draws the seed (below 2^53 - 8); journals; queues. Writes. Errors, with err->field where one is at fault:
 * INVALID, UNSUPPORTED; NO_MEMORY (too large alone; text has both numbers); BUSY (queue full); CANCELLED (stopping);
 * IO (journal cannot be written); EXISTS (same idempotency key, other body); LIMIT (same key, first one still being
 * accepted); NOT_FOUND (model). */
sdw_status sdw_worker_submit(sdw_worker *w, const sdw_job_request *r, sdw_job_id *ret_id, sdw_submit_answer *ret_answer, sdw_error *err);
/* NOT_FOUND: unknown, or already ended. A running job stops at its next step. */
sdw_status sdw_worker_cancel(sdw_worker *w, const sdw_job_id *id, sdw_error *err);
/* Ends the steps of a running job early and makes pictures of what there is (A1111's interrupt). NOT_FOUND as cancel. */
sdw_status sdw_worker_finish_early(sdw_worker *w, const sdw_job_id *id, sdw_error *err);

typedef enum sdw_job_status { SDW_JOB_QUEUED, SDW_JOB_RUNNING, SDW_JOB_COMPLETED, SDW_JOB_FAILED, SDW_JOB_WAS_CANCELLED } sdw_job_status;
const char *sdw_job_status_name(sdw_job_status s); /* "queued", "running", "completed", "failed", "cancelled" */

/* Why a job failed, in the worker protocol's words: "VRAM_OOM", "TIMEOUT", "INVALID_REQUEST", "INFERENCE_FAILED",
 * "NON_FINITE", "STORAGE_FULL", "MODEL_LOAD_FAILED", "MODEL_CHANGED", "CRASHED". */
typedef struct sdw_job_error { char code[24]; char message[SDW_ERROR_TEXT_MAX]; } sdw_job_error;

#define SDW_JOB_PICTURES_MAX 32
typedef struct sdw_job_output { sdw_output_id id; uint64_t seed; int width, height; size_t bytes; } sdw_job_output;

/* A snapshot, the caller's own; sdw_job_view_finish frees what it holds. Times: seconds since 1970, 0 = not yet. */
typedef struct sdw_job_view {
    sdw_job_id id;
    sdw_job_kind kind;
    sdw_job_status status;
    double created_at, started_at, finished_at;
    int queue_position;          /* 1 = next; 0 = not queued */
    int step, total;             /* 1-based steps of the request, worker-protocol 5.3 */
    int picture, pictures;       /* of a request that runs its pictures in turn */
    uint64_t seed;
    char format[8], face[12];
    sdw_job_error error;         /* FAILED */
    sdw_job_output outputs[SDW_JOB_PICTURES_MAX]; int output_count;
    double elapsed_ms;           /* run time so far or in all */
    char *model, *tag, *echo;
    char *params_json;           /* the request as resolved (or as given, while queued), sdw_params as JSON */
} sdw_job_view;
sdw_status sdw_worker_job(sdw_worker *w, const sdw_job_id *id, sdw_job_view *ret, sdw_error *err); /* NOT_FOUND */
void sdw_job_view_finish(sdw_job_view *v);

/* Newest first, at most `cap` ids of jobs in `status_mask` (bit 1 << sdw_job_status; 0 = all) older than *before (NULL =
 * from the newest). */
size_t sdw_worker_jobs(sdw_worker *w, unsigned status_mask, const sdw_job_id *before, sdw_job_id *out, size_t cap);

/* ---- events ---- */

typedef enum sdw_event_kind {
    SDW_EVENT_PROGRESS, SDW_EVENT_PREVIEW, SDW_EVENT_NARRATION, SDW_EVENT_COMPLETE, SDW_EVENT_ERROR,
    /* The end of a job's events, numbered too: exactly one of the first three. KEPT is never numbered (number 0). */
    SDW_EVENT_END_DONE, SDW_EVENT_END_ERROR, SDW_EVENT_END_CANCELLED, SDW_EVENT_END_KEPT
} sdw_event_kind;

/* Bytes shared by everyone who looks at them; release exactly once per event. */
typedef struct sdw_blob sdw_blob;
const void *sdw_blob_bytes(const sdw_blob *b, size_t *ret_size);
sdw_blob *sdw_blob_ref(sdw_blob *b);
void sdw_blob_unref(sdw_blob *b); /* accepts NULL */

typedef struct sdw_event {
    uint64_t number;             /* 1, 2, 3 ... per job, the same for every reader; previews that fell out leave gaps */
    sdw_event_kind kind;
    double at;                   /* seconds since 1970 */
    int step, total;             /* PROGRESS, PREVIEW */
    sdw_blob *picture;           /* PREVIEW: encoded PNG; else NULL. Owned by the event */
    sdw_blob *text;              /* NARRATION: a JSON object without job_id; ERROR: the message; may be NULL */
    char code[24];               /* NARRATION: action; ERROR: code */
} sdw_event;
/* The first event with a number above `after`. OK: *ret filled. BUSY: none yet. NOT_FOUND: unknown job, or nothing
 * after the end marker. Never blocks. */
sdw_status sdw_worker_event(sdw_worker *w, const sdw_job_id *id, uint64_t after, sdw_event *ret, sdw_error *err);
void sdw_event_finish(sdw_event *e);
/* Number of the last event so far, and whether it is the end marker. */
sdw_status sdw_worker_last_event(sdw_worker *w, const sdw_job_id *id, uint64_t *ret_number, bool *ret_ended, sdw_error *err);

/* ---- results ---- */

/* Encoded picture `index` of a completed job, or by its own id. NOT_FOUND: unknown or expired. Writes nothing, but may
 * read from disk. */
sdw_status sdw_worker_picture(sdw_worker *w, const sdw_job_id *id, int index, sdw_blob **ret, sdw_error *err);
sdw_status sdw_worker_output(sdw_worker *w, const sdw_output_id *id, sdw_blob **ret, sdw_job_id *ret_job, int *ret_index, sdw_error *err);
/* Forgets a picture (and its file). Writes. */
sdw_status sdw_worker_output_delete(sdw_worker *w, const sdw_output_id *id, sdw_error *err);

/* Latest preview of a running job as PNG, made on demand if the job sends none; NOT_FOUND if there is none yet. */
sdw_status sdw_worker_preview(sdw_worker *w, const sdw_job_id *id, sdw_blob **ret, sdw_error *err);

#ifdef __cplusplus
}
#endif
#endif
