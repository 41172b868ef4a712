/* access.h - who may ask: Host (DNS rebinding), Origin (pages of other sites), key. Pure functions over a checked head
 * and the options; worker-protocol 6 has the rules. */
#ifndef SDW_SERVER_ACCESS_H
#define SDW_SERVER_ACCESS_H

#include "server/head.h"
#include "server/server.h"

/* What the options say, once, at start. Texts borrowed from the options. */
typedef struct sdw_access_rules {
    const char *key; /* NULL = none */
    const char *const *origins, *const *hosts; /* NULL-terminated, may be NULL */
    bool every_origin, every_host;
    bool local_pages; /* pages on this machine may drive a service that is bound to loopback and has no key */
    char machine[256]; /* this machine's own name */
} sdw_access_rules;

void sdw_access_rules_of(const sdw_server_options *o, bool bound_to_loopback, sdw_access_rules *ret);

/* Without a key: does the Host header name this service? `host` NULL (HTTP/1.0) passes. */
bool sdw_access_host_ok(const sdw_access_rules *a, const char *host);

typedef enum sdw_origin { SDW_ORIGIN_NONE, SDW_ORIGIN_ALLOWED, SDW_ORIGIN_FOREIGN } sdw_origin;
sdw_origin sdw_access_origin(const sdw_access_rules *a, const char *origin, const char *host);

typedef enum sdw_credential { SDW_CREDENTIAL_OK, SDW_CREDENTIAL_MISSING, SDW_CREDENTIAL_WRONG } sdw_credential;
/* token_query: ?token= counts too; basic: HTTP Basic counts too (any user, the key as password). Always OK without a key. */
sdw_credential sdw_access_key(const sdw_access_rules *a, const sdw_head *h, bool token_query, bool basic);

/* A foreign page may not change anything: the methods that do. */
bool sdw_method_changes(const char *method);

/* The CORS headers of an answer. preflight: OPTIONS, which names methods and headers too. */
void sdw_access_add_headers(const sdw_access_rules *a, const sdw_head *h, bool preflight, sdw_http_response *ret);

#endif
