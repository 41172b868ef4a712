/* fetch.h - the bytes of one file into a partial file: resumed, retried, hashed. What the file is called in the end is
 * the caller's business. */
#ifndef SDW_HUB_FETCH_H
#define SDW_HUB_FETCH_H

#include "core/digest.h"
#include "hub/ask.h"

/* The number of bytes that are there now, and how many came over the network since the last call. */
typedef void sdw_hub_moved_fn(void *ctx, uint64_t there, uint64_t fetched);

typedef struct sdw_hub_fetch {
    const char *url;          /* asked anew at each attempt, so that signed addresses behind it may expire */
    const char *partial;      /* path; an existing one is continued */
    const char *shown;        /* the file's name in messages */
    sdw_hub_subject about;    /* for refusals; id NULL: no hub */
    uint64_t size;            /* UINT64_MAX = not known */
    const char *hash;         /* 64 or 40 hex digits; NULL = not known: *ret_hash tells the SHA-256 */
    const char *if_range;     /* entity tag of what the partial file began with, in storage that begin may fill; "" = not
                                 known: without a hash the file is begun anew; NULL = the address names one content */
    sdw_hub_moved_fn *moved;  /* may be NULL; on the calling thread */
    void *ctx;
    /* Told once per answer that brings the file from its start, before its first byte; may be NULL. */
    sdw_status (*begin)(void *ctx, const sdw_hub_headers *head, sdw_error *err);
} sdw_hub_fetch;

/* SDW_OK: the partial file is whole, has the hash and is on the disk (fsync). On failure it is kept for the next run,
 * unless its hash or length is wrong: then it is begun anew once, and removed if that does not help. ret_hash may be
 * NULL. */
sdw_status sdw_hub_fetch_file(sdw_hub_client *c, const sdw_hub_fetch *f, char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err);

#endif
