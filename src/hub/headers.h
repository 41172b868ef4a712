/* headers.h - what we read of the head of an answer, one line at a time. Lines come from strangers: everything is
 * bounded, what does not parse counts as absent. */
#ifndef SDW_HUB_HEADERS_H
#define SDW_HUB_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDW_HUB_URL_SIZE 8192 /* signed addresses have some 1,500 bytes */

typedef struct sdw_hub_headers {
    int status;                  /* 0 = no answer yet */
    bool has_commit, has_linked_size, has_length, has_range;
    char commit[64];             /* X-Repo-Commit */
    char etag[256], linked_etag[256]; /* without W/ and quotes; "" = absent */
    bool weak_etag;              /* ETag began with W/ */
    uint64_t linked_size, length; /* X-Linked-Size, Content-Length */
    uint64_t range_first, range_total; /* Content-Range; range_total UINT64_MAX = not told */
    char location[SDW_HUB_URL_SIZE], next[SDW_HUB_URL_SIZE]; /* Location; Link with rel="next" */
    char error_code[64], error_message[256]; /* X-Error-Code, X-Error-Message */
    char request_id[128];        /* X-Request-Id, else X-Amzn-Trace-Id, else X-Amz-Cf-Id */
    char warning[256];           /* X-HF-Warning */
    char encoding[32];           /* Content-Encoding */
    int request_id_rank;
    int64_t retry_after_s;       /* Retry-After; -1 = absent */
    int64_t limit_wait_s;        /* RateLimit: t of a bucket whose r is 0; -1 = none is used up */
} sdw_hub_headers;

/* For the first answer and for each that follows it on the same connection. */
void sdw_hub_headers_clear(sdw_hub_headers *h);
/* One line, with or without its line end. A status line clears what was there. */
void sdw_hub_headers_line(sdw_hub_headers *h, const char *line, size_t length);

/* Seconds the server asks to wait, with one more to be on the safe side; -1 if it does not say. */
int64_t sdw_hub_headers_wait_s(const sdw_hub_headers *h);

#endif
