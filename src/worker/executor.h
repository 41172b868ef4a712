/* executor.h - what runs jobs, under the worker: a table of functions, so that tests can put one there that needs no
 * weights. The real one is sdw_executor_engine (exec_engine.c).
 *
 * A model is opened (headers and configuration are read), then loaded (weights packed), later unloaded and perhaps
 * loaded again. A job is created from a resolved request and advances in units of work: a prompt encoding, a slice of a
 * picture encoding or decode, or one model evaluation that pictures of several jobs share. Unless it says "any thread",
 * a function runs on the worker's engine thread. */
#ifndef SDW_WORKER_EXECUTOR_H
#define SDW_WORKER_EXECUTOR_H

#include "core/warn.h"
#include "sdw/worker.h"

typedef struct sdw_exec_model sdw_exec_model; /* the executor's own */
typedef struct sdw_exec_job sdw_exec_job;

typedef struct sdw_exec_cost {
    uint64_t total;          /* bytes of the process if the job runs alone */
    uint64_t weights;        /* of them, the model's packed weights */
    int tokens;              /* of the longer prompt, in whole chunks of 77 */
    int rows;                /* of one picture in a model evaluation: 2 with guidance */
} sdw_exec_cost;

/* Where a job stands. Jobs whose keys are equal may share a model evaluation. */
typedef struct sdw_exec_state {
    sdw_phase phase;
    int step, total;         /* finished steps of the request, those that strength leaves out included; all steps */
    int steps_run;           /* of them, executed */
    int pictures;
    int rows;                /* of one picture */
    struct { int height, width, tokens; } key; /* latent sides */
} sdw_exec_state;

/* One picture's part of a shared evaluation. */
typedef struct sdw_exec_turn {
    sdw_exec_job *job;
    int picture;
    sdw_status status;       /* out: of this picture alone; error belongs to it */
    sdw_error error;
} sdw_exec_turn;

/* done of total weights are packed. Return false to stop with SDW_CANCELLED. */
typedef bool sdw_exec_loading(void *ctx, int done, int total);

struct sdw_executor {
    const char *name;
    sdw_status (*open)(const sdw_engine_options *o, sdw_exec_model **ret, sdw_error *err);
    void (*close)(sdw_exec_model *m); /* accepts NULL; any thread once no job is left */
    sdw_status (*load)(sdw_exec_model *m, sdw_exec_loading *loading, void *ctx, sdw_error *err);
    void (*unload)(sdw_exec_model *m); /* frees weights and pools; open stays */
    uint64_t (*held)(sdw_exec_model *m); /* bytes held now */
    uint64_t (*prompt_hits)(const sdw_exec_model *m); /* encoded prompts that were there already, since open; NULL: keeps none */

    /* Any thread, at any time between open and close. */
    const sdw_model_info *(*info)(const sdw_exec_model *m);
    uint64_t (*memory_limit)(const sdw_exec_model *m);
    /* As sdw_params_resolve; warnings may be NULL. */
    sdw_status (*resolve)(const sdw_exec_model *m, const sdw_params *p, sdw_params *ret, sdw_warnings *warnings, sdw_error *err);
    sdw_status (*cost)(sdw_exec_model *m, const sdw_params *resolved, sdw_exec_cost *ret, sdw_error *err);
    /* on: the unit that runs now, and every later one, ends with SDW_CANCELLED, until it is switched off. */
    void (*cancel)(sdw_exec_model *m, bool on);

    /* Is there memory for an evaluation of `rows` rows of this job's key (0: for its next unit of another kind), beside
     * what is held now? A job that has the executor to itself always fits. */
    bool (*fits)(sdw_exec_model *m, const sdw_exec_job *j, int rows);

    /* params: resolved; strings and pictures outlive the job. warn hears what a unit has to say. */
    sdw_status (*job_create)(sdw_exec_model *m, const sdw_params *resolved, sdw_warn_fn *warn, void *ctx, sdw_exec_job **ret, sdw_error *err);
    void (*job_free)(sdw_exec_job *j); /* accepts NULL */
    void (*job_state)(const sdw_exec_job *j, sdw_exec_state *ret);
    /* One unit of a job that is not in SDW_PHASE_STEP. After SDW_CANCELLED or an error the job can only be freed. */
    sdw_status (*advance)(sdw_exec_job *j, sdw_error *err);
    /* One model evaluation for count pictures of jobs of equal keys, all in SDW_PHASE_STEP. The result is that of the
     * evaluation; if it is SDW_OK, each turn has its own. Otherwise nothing happened to any job. */
    sdw_status (*step)(sdw_exec_model *m, sdw_exec_turn *turns, int count, sdw_error *err);
    /* Evaluations that picture has had; -1: it wants none. Pictures of a job take turns: fewest first, then by number. */
    int (*evaluations)(const sdw_exec_job *j, int picture);
    /* No further steps, once there is something to show: it will be decoded. */
    void (*finish_early)(sdw_exec_job *j);
    /* Picture `index` of a job in SDW_PHASE_DONE; the pixels become the caller's (sdw_free). */
    sdw_status (*take)(sdw_exec_job *j, int index, sdw_picture *ret, uint64_t *ret_seed, sdw_error *err);

    /* Picture 0 as it looks now, small: one pixel a latent cell. Pixels by sdw_malloc. */
    sdw_status (*preview)(sdw_exec_job *j, sdw_picture *ret, sdw_error *err);
    /* The same decoded, in slices: *ret_done, and *ret filled, at the last. begin: what is seen is fixed by now. One at
     * a time; end drops an unfinished one. NULL: cannot. */
    sdw_status (*preview_begin)(sdw_exec_job *j, sdw_error *err);
    sdw_status (*preview_slice)(sdw_exec_job *j, bool *ret_done, sdw_picture *ret, sdw_error *err);
    void (*preview_end)(sdw_exec_job *j);
};

extern const sdw_executor sdw_executor_engine;

#endif
