/* models.h - the models that a worker knows. An entry lives as long as somebody holds it: the table, a job, the engine
 * thread, a caller that asks it something. All fields are guarded by the worker's mutex, except where it says otherwise. */
#ifndef SDW_WORKER_MODELS_H
#define SDW_WORKER_MODELS_H

#include "core/digest.h"
#include "worker/executor.h"

enum { SDW_MODELS_MAX = 64, SDW_MODEL_ID_MAX = 256 };

typedef struct sdw_model_entry {
    char id[SDW_MODEL_ID_MAX];   /* fixed */
    sdw_engine_options options;  /* fixed; texts owned */
    int holders;
    bool in_table;
    char fingerprint[SDW_DIGEST_HEX_SIZE]; /* set once, before model; "" where nothing is journalled, or there are no files */
    const char *precision;       /* in effect, or NULL; static storage; set with the fingerprint */
    sdw_exec_model *model;       /* NULL until the engine thread has opened it; then fixed until the last holder goes */
    bool loaded, loading;        /* its weights */
    bool unload_wanted;
    int layers_loaded, layers_total;
    uint64_t held;               /* bytes */
    uint64_t last_use;           /* counts uses; the smallest goes first */
    int running;                 /* jobs with engine state */
    struct sdw_model_entry *next_dead;
} sdw_model_entry;

/* o's texts are copied. NULL without memory. */
sdw_model_entry *sdw_model_entry_create(const char *id, const sdw_engine_options *o);
/* Closes the model: the engine thread, or when that has ended. */
void sdw_model_entry_free(sdw_model_entry *m, const sdw_executor *x);

#endif
