/* idempotency.h - which job an Idempotency-Key stands for. Keys and scopes are kept only as hashes: no credential can be
 * read from them. Bounded in number and age, oldest first out. Any thread (own
 * mutex, held while the table grows). */
#ifndef SDW_WORKER_IDEMPOTENCY_H
#define SDW_WORKER_IDEMPOTENCY_H

#include "sdw/worker.h"

typedef struct sdw_idempotency sdw_idempotency;

#define SDW_IDEMPOTENCY_HASH 32

typedef struct sdw_idempotency_entry {
    uint8_t key[SDW_IDEMPOTENCY_HASH];  /* of scope and key */
    uint8_t body[SDW_IDEMPOTENCY_HASH]; /* of the request's body */
    sdw_job_id job;
    double at;                          /* seconds since 1970 */
} sdw_idempotency_entry;

/* max 0 = SDW_LIMIT_IDEMPOTENCY_KEYS; ttl_s 0 = 24 h. */
sdw_status sdw_idempotency_open(size_t max, double ttl_s, sdw_idempotency **ret, sdw_error *err);
void sdw_idempotency_close(sdw_idempotency *t); /* accepts NULL */

sdw_status sdw_idempotency_hash(const char *scope, const char *key, uint8_t ret[SDW_IDEMPOTENCY_HASH], sdw_error *err);

/* What to do with a request of this key. OK and ret_job "" : it is the first; end with commit or abort. OK and a job:
 * that one again. EXISTS: the key stands for another body. LIMIT: the first one is still being accepted. */
sdw_status sdw_idempotency_begin(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH], const uint8_t body[SDW_IDEMPOTENCY_HASH],
                                 double now, sdw_job_id *ret_job, sdw_error *err);
void sdw_idempotency_commit(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH], const sdw_job_id *job, double now);
void sdw_idempotency_abort(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH]);

/* Removes a key, committed or not: its job was never accepted after all. */
void sdw_idempotency_forget(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH]);

/* Puts an entry back that was remembered elsewhere; an older one of its key is replaced. */
sdw_status sdw_idempotency_restore(sdw_idempotency *t, const sdw_idempotency_entry *e, sdw_error *err);
/* A copy of all entries still valid, oldest first; *ret is freed with sdw_free, NULL when there are none. */
sdw_status sdw_idempotency_copy(sdw_idempotency *t, double now, sdw_idempotency_entry **ret, size_t *ret_count, sdw_error *err);

#endif
