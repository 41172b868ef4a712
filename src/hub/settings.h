/* settings.h - what the environment says about the hub: the variables of the Python library, with their defaults. */
#ifndef SDW_HUB_SETTINGS_H
#define SDW_HUB_SETTINGS_H

#include <stdbool.h>

#include "core/status.h"

#define SDW_HUB_PARALLEL 8 /* files at once, as the Python library does */

/* Texts are owned. */
typedef struct sdw_hub_settings {
    char *endpoint;             /* HF_ENDPOINT without the last '/', default https://huggingface.co */
    char *cache;                /* HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub */
    char *models;               /* where other programs of this family keep models: ~/.cache/rbee/models */
    char *token;                /* NULL = none; wiped when freed, never shown */
    char *ca_file;              /* SSL_CERT_FILE, else REQUESTS_CA_BUNDLE; NULL = the system's */
    char *http_proxy;           /* HTTP_PROXY, which libcurl itself reads only in lower case; NULL = what libcurl finds */
    char *agent;                /* User-Agent */
    bool offline;               /* HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE: no request at all */
    bool no_symlinks;           /* HF_HUB_DISABLE_SYMLINKS */
    bool no_bars;               /* HF_HUB_DISABLE_PROGRESS_BARS */
    bool debug;                 /* HF_DEBUG: tell every request */
    int head_timeout_s;         /* HF_HUB_ETAG_TIMEOUT: a metadata request as a whole */
    int stall_timeout_s;        /* HF_HUB_DOWNLOAD_TIMEOUT: connecting, and silence in a body */
    int parallel;               /* downloads at once */
} sdw_hub_settings;

/* Reads one variable; NULL if it is not set. */
typedef const char *sdw_hub_get_fn(void *ctx, const char *name);

/* get NULL = the environment of the process. SDW_INVALID names a variable with a value that cannot be used. */
sdw_status sdw_hub_settings_read(sdw_hub_settings *ret, sdw_hub_get_fn *get, void *ctx, sdw_error *err);
void sdw_hub_settings_finish(sdw_hub_settings *s); /* accepts a zeroed one */

#endif
