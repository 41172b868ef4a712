/* client.h - one request, one answer, over libcurl. Redirects are not followed here: whoever asks decides (address.h).
 * The token goes along only where scheme, host and port are those of the endpoint. One thread at a time. */
#ifndef SDW_HUB_CLIENT_H
#define SDW_HUB_CLIENT_H

#include "core/buf.h"
#include "hub/headers.h"
#include "hub/hooks.h"
#include "hub/settings.h"

typedef struct sdw_hub_client sdw_hub_client;

/* settings and hooks are borrowed until close. hooks may be NULL. */
sdw_status sdw_hub_client_open(const sdw_hub_settings *settings, const sdw_hub_hooks *hooks, sdw_hub_client **ret,
                               sdw_error *err);
void sdw_hub_client_close(sdw_hub_client *c); /* accepts NULL */
const sdw_hub_settings *sdw_hub_client_settings(const sdw_hub_client *c);
const sdw_hub_hooks *sdw_hub_client_hooks(const sdw_hub_client *c);

/* Tells what X-HF-Warning says, "topic; text", once per topic. */
void sdw_hub_client_warn(sdw_hub_client *c, const char *warning);

/* A piece of the body of a 200 or 206. Anything but SDW_OK ends the request and becomes its status. */
typedef sdw_status sdw_hub_body_fn(void *ctx, const sdw_hub_headers *head, const void *data, size_t size, sdw_error *err);

typedef struct sdw_hub_request {
    const char *url;
    bool head;                /* HEAD instead of GET */
    bool ranged;              /* Range: bytes=FROM- */
    uint64_t from;
    const char *if_range;     /* entity tag; NULL = none */
    int timeout_s;            /* for all of it; 0 = only silence ends it */
    size_t text_max;          /* bytes of a body that is kept as text; more is SDW_LIMIT; 0 = 64 KiB */
    sdw_hub_body_fn *body;    /* NULL = the body of a 200 is kept as text too */
    void *ctx;
} sdw_hub_request;

typedef struct sdw_hub_answer {
    sdw_hub_headers head;
    sdw_buf text;             /* owned: bodies that no body function takes, such as errors */
    bool lost;                /* the status is SDW_IO because of the network: asking again may help */
} sdw_hub_answer;

void sdw_hub_answer_finish(sdw_hub_answer *a); /* accepts a zeroed one */

/* SDW_OK: an answer with whatever status, and its whole body. SDW_IO: no answer, or its body broke off (the message says
 * why). SDW_CANCELLED. Takes over what was in *ret. */
sdw_status sdw_hub_perform(sdw_hub_client *c, const sdw_hub_request *r, sdw_hub_answer *ret, sdw_error *err);

#endif
