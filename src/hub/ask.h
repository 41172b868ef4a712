/* ask.h - requests to the hub's API and to its resolve addresses: retried, redirects followed by our rule. */
#ifndef SDW_HUB_ASK_H
#define SDW_HUB_ASK_H

#include "hub/client.h"
#include "hub/listing.h"
#include "hub/refusal.h"

#define SDW_HUB_HOPS_MAX 10
#define SDW_HUB_WAIT_MAX_S 600 /* a server that asks for more patience is refused */

/* May asking again help? 408, 429, 500, 502, 503, 504. */
bool sdw_hub_is_passing(int status);
/* Waits as the answer asks, else `fallback_s`. SDW_BUSY if the server asks for more than the maximum; SDW_CANCELLED. */
sdw_status sdw_hub_wait_for_retry(sdw_hub_client *c, const sdw_hub_answer *a, const char *what, int fallback_s, sdw_error *err);

typedef enum sdw_hub_follow {
    SDW_HUB_FOLLOW_ALL,  /* a file's bytes: any https host, without the token */
    SDW_HUB_FOLLOW_HUB,  /* metadata: a redirect to another host than the hub's is the answer itself */
    SDW_HUB_FOLLOW_ONLY_HUB /* the API: such a redirect is an error */
} sdw_hub_follow;

/* One request with its redirects; at most SDW_HUB_HOPS_MAX of them. url is r->url at first, then the last one asked. */
sdw_status sdw_hub_perform_following(sdw_hub_client *c, const sdw_hub_request *r, sdw_hub_follow follow, sdw_hub_answer *ret,
                                     char url[SDW_HUB_URL_SIZE], sdw_error *err);

/* retries: 0..5, after 1, 2, 4, 8 and 8 s, or after what the server asks. *ret_kind says why it failed; may be NULL. */
typedef struct sdw_hub_ask {
    sdw_hub_client *client;
    int retries;
    sdw_hub_kind *ret_kind;
} sdw_hub_ask;

/* The commit of a revision. */
sdw_status sdw_hub_ask_commit(const sdw_hub_ask *a, const char *id, const char *revision, char ret_commit[SDW_HUB_COMMIT_SIZE],
                              sdw_error *err);
/* The sorted listing of a commit, all pages. */
sdw_status sdw_hub_ask_tree(const sdw_hub_ask *a, const char *id, const char *commit, sdw_hub_listing *ret, sdw_error *err);

typedef struct sdw_hub_metadata {
    char etag[SDW_HUB_ETAG_SIZE]; /* 64 hex digits: SHA-256 of the content; 40: git's SHA-1 */
    uint64_t size;
} sdw_hub_metadata;

/* HEAD of a file: what its bytes must be. Never asks a host that is not the hub's. */
sdw_status sdw_hub_ask_metadata(const sdw_hub_ask *a, const char *id, const char *commit, const char *file,
                                sdw_hub_metadata *ret, sdw_error *err);
/* A small file as text, its hash checked. *ret: sdw_free. */
sdw_status sdw_hub_ask_text(const sdw_hub_ask *a, const char *id, const char *commit, const sdw_hub_entry *e, char **ret,
                            size_t *ret_size, sdw_error *err);

/* ENDPOINT/ID/resolve/REVISION/FILE, encoded. */
sdw_status sdw_hub_resolve_url(const sdw_hub_settings *s, const char *id, const char *revision, const char *file,
                               char ret[SDW_HUB_URL_SIZE], sdw_error *err);

#endif
