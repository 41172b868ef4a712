/* serve_model.h - which model the service starts with: how it was named, where it lies, what others call it. */
#ifndef SDW_CLI_SERVE_MODEL_H
#define SDW_CLI_SERVE_MODEL_H

#include <limits.h>
#include <stdatomic.h>

#include "cli/options.h"
#include "hub/settings.h"
#include "sdw/worker.h"
#include "server/loading.h"
#include "server/server.h"

typedef struct sdw_serve_model {
    const char *ref;          /* as the user named it; "demo" */
    char path[PATH_MAX];      /* where it lies; or its name, if it must be fetched first */
    char id[256];             /* what others call it (worker-protocol 2.2) */
    bool demo;
    /* For finding models later, by sdw_serve_find. */
    sdw_hub_settings settings;
    const char *const *folders; /* --models-dir, NULL-terminated; borrowed */
    const char *variant;
    sdw_loading *loading;     /* borrowed; told how a download goes */
    sdw_waker *waker;         /* borrowed; woken for those who wait for that */
    uint64_t counted;         /* bytes of the running download that `loading` knows of; that thread's alone */
    atomic_bool stopping;     /* ends a download */
} sdw_serve_model;

/* The model options, best first, or the demo model where that is allowed. Makes no request: a name that is nowhere here
 * is kept for sdw_serve_find, unless the hub may not be asked. SDW_INVALID: none named; NOT_FOUND, UNSUPPORTED. */
sdw_status sdw_serve_model_choose(const sdw_cli_options *o, sdw_serve_model *m, sdw_error *err);
void sdw_serve_model_finish(sdw_serve_model *m);

/* A sdw_worker_find_fn; ctx is the sdw_serve_model. Fetches what is not here. */
sdw_status sdw_serve_find(void *ctx, const char *name, char *path, size_t size, sdw_error *err);

#endif
