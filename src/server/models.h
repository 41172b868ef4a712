/* models.h - the models that the service can run: what the catalogue finds on this machine and what the worker holds, as one
 * list; loading, fetching and removing them at run time (http-apis 2.3). One per server, made by who starts it. Any thread;
 * what reads folders says so. */
#ifndef SDW_SERVER_MODELS_H
#define SDW_SERVER_MODELS_H

#include "core/digest.h"
#include "hub/catalog.h"
#include "hub/settings.h"
#include "server/loading.h"
#include "server/server.h"

#define SDW_MODEL_NAME_MAX 256

typedef struct sdw_models sdw_models;

typedef struct sdw_model_row {
    char id[SDW_MODEL_NAME_MAX];   /* what requests call it */
    const char *status;            /* "loaded", "loading", "unloaded", "downloading", "incomplete", "failed"; static */
    const char *family;            /* variant name such as "sd1.5"; NULL = not known; static */
    char dtype[64];
    uint64_t bytes;
    char problem[SDW_ERROR_TEXT_MAX]; /* one sentence: why it is incomplete, or why its download failed; "" = none */
} sdw_model_row;

/* Whether it is whole on this machine, so that a job may ask for it. */
bool sdw_model_is_here(const sdw_model_row *row);

typedef struct sdw_models_options {
    sdw_worker *worker;            /* borrowed, as all that follows */
    sdw_waker *waker;              /* woken when a list or a download changes */
    sdw_loading *loading;          /* told how downloads go; may be NULL */
    const sdw_hub_settings *settings;
    sdw_catalog_places places;     /* where to look */
    sdw_engine_options engine;     /* of models that are loaded later; its model is what the service started with */
    const char *first_id;          /* that one's id */
} sdw_models_options;

/* Makes the models of the places known to the worker, so that requests may name them. Reads folders. */
sdw_status sdw_models_create(const sdw_models_options *o, sdw_models **ret, sdw_error *err);
/* Ends a running download (its partial files stay) and frees. NULL is accepted. */
void sdw_models_free(sdw_models *m);

/* At most `cap` rows, the one the service started with first; the result is how many there are. Reads folders. */
size_t sdw_models_list(sdw_models *m, sdw_model_row *out, size_t cap);
/* false: no such model. Reads folders. */
bool sdw_models_get(sdw_models *m, const char *id, sdw_model_row *ret);

/* SHA-256 of a model's checkpoint, if it is known by now (model_hashes.h); m may be NULL. Waits for nothing. */
bool sdw_models_hash(sdw_models *m, const char *id, char ret_hex[SDW_DIGEST_HEX_SIZE]);
/* Unknown hashes of the models that were listed so far are computed beside the service from now on. */
void sdw_models_want_hashes(sdw_models *m);
/* "id [0123456789]", or the id alone while the hash is not known: what AUTOMATIC1111 calls a checkpoint. */
void sdw_models_title(sdw_models *m, const char *id, char ret[SDW_MODEL_NAME_MAX + 16]);
/* Length of the id in such a title. */
size_t sdw_models_title_id(const char *title);

/* NOT_FOUND: not on this machine. Takes effect after the running jobs. Reads folders. */
sdw_status sdw_models_load(sdw_models *m, const char *id, sdw_error *err);
sdw_status sdw_models_unload(sdw_models *m, const char *id, sdw_error *err);
/* Starts a download in a thread of its own; one of the same model that runs already is joined. BUSY: another one runs. */
sdw_status sdw_models_pull(sdw_models *m, const char *id, const char *revision, const char *variant, sdw_error *err);
/* Removes it from disk. BUSY: loaded, wanted by a job, or locked by another process; INVALID: not in the cache or the
 * shared folder; NOT_FOUND. Writes. */
sdw_status sdw_models_remove(sdw_models *m, const char *id, sdw_error *err);

/* The download that runs or ran last; false: none so far. `serial` grows with every change of it or of the list. */
typedef struct sdw_model_download {
    char id[SDW_MODEL_NAME_MAX];
    bool running;
    sdw_status status;             /* of one that ended */
    char message[SDW_ERROR_TEXT_MAX];
    uint64_t bytes_done, bytes_total;
    double bytes_per_second;
} sdw_model_download;
bool sdw_models_download(sdw_models *m, sdw_model_download *ret, uint64_t *ret_serial);

#endif
