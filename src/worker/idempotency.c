/* idempotency.c - a table of the newest keys. Entries form a list by age; the oldest leave first. */
#include "worker/idempotency.h"

#include <pthread.h>
#include <string.h>

#include "core/hex.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/sha256.h"
#include "core/strmap.h"

#define DAY_S 86400.0

typedef struct entry {
    char name[2 * SDW_IDEMPOTENCY_HASH + 1]; /* key in hexadecimal: what the map looks for */
    sdw_idempotency_entry e;                 /* job "" while it is being accepted */
    struct entry *older, *newer;
} entry;

struct sdw_idempotency {
    pthread_mutex_t lock; /* guards all below */
    sdw_strmap by_key;
    entry *oldest, *newest;
    size_t count, max;
    double ttl_s;
};

sdw_status sdw_idempotency_open(size_t max, double ttl_s, sdw_idempotency **ret, sdw_error *err)
{
    sdw_idempotency *t = sdw_calloc(1, sizeof *t);
    if (!t) return sdw_fail_memory(err, "idempotency table", sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->max = max ? max : SDW_LIMIT_IDEMPOTENCY_KEYS;
    t->ttl_s = ttl_s > 0 ? ttl_s : DAY_S;
    *ret = t;
    return SDW_OK;
}

void sdw_idempotency_close(sdw_idempotency *t)
{
    if (!t) return;
    for (entry *e = t->oldest, *next; e; e = next) {
        next = e->newer;
        sdw_free(e);
    }
    sdw_strmap_finish(&t->by_key);
    pthread_mutex_destroy(&t->lock);
    sdw_free(t);
}

sdw_status sdw_idempotency_hash(const char *scope, const char *key, uint8_t ret[SDW_IDEMPOTENCY_HASH], sdw_error *err)
{
    char hex[SDW_SHA256_HEX_SIZE];
    size_t n = strlen(scope) + 1, m = strlen(key);
    char *both = sdw_malloc(n + m + 1);
    if (!both) return sdw_fail_memory(err, "idempotency key", n + m);
    memcpy(both, scope, n); /* with its NUL: "a" + "bc" is not "ab" + "c" */
    memcpy(both + n, key, m + 1);
    sdw_status s = sdw_sha256_bytes(both, n + m, hex, err);
    memset(both, 0, n + m); /* scopes are made of credentials */
    sdw_free(both);
    if (s == SDW_OK) sdw_hex_to_bytes(hex, ret, SDW_IDEMPOTENCY_HASH);
    return s;
}

/* ---- the list; the lock is held ---- */

static void unlink_entry(sdw_idempotency *t, entry *e)
{
    if (e->older) e->older->newer = e->newer;
    else t->oldest = e->newer;
    if (e->newer) e->newer->older = e->older;
    else t->newest = e->older;
    sdw_strmap_remove(&t->by_key, e->name);
    t->count--;
}

/* Behind the last one that is not younger: entries may come back in any order. */
static void link_entry(sdw_idempotency *t, entry *e)
{
    entry *before = t->newest;
    while (before && before->e.at > e->e.at) before = before->older;
    e->older = before;
    e->newer = before ? before->newer : t->oldest;
    if (e->newer) e->newer->older = e;
    else t->newest = e;
    if (before) before->newer = e;
    else t->oldest = e;
    t->count++;
}

/* Removes what is too old or too many; freed by the caller, outside the lock. Those being accepted stay. */
static entry *take_stale(sdw_idempotency *t, double now)
{
    entry *stale = NULL;
    for (entry *e = t->oldest, *next; e; e = next) {
        next = e->newer;
        bool old = now - e->e.at >= t->ttl_s, many = t->count > t->max;
        if (!old && !many) break;
        if (!e->e.job.text[0]) continue;
        unlink_entry(t, e);
        e->newer = stale;
        stale = e;
    }
    return stale;
}

static void free_list(entry *e)
{
    for (entry *next; e; e = next) {
        next = e->newer;
        sdw_free(e);
    }
}

/* ---- public ---- */

static sdw_status answer(const entry *e, const uint8_t body[SDW_IDEMPOTENCY_HASH], sdw_job_id *ret_job, sdw_error *err)
{
    if (memcmp(e->e.body, body, SDW_IDEMPOTENCY_HASH) != 0)
        return sdw_fail(err, SDW_EXISTS, "Idempotency-Key: was used with another request, want the same request or a new key");
    if (!e->e.job.text[0])
        return sdw_fail(err, SDW_LIMIT, "Idempotency-Key: the first request with this key is still being accepted");
    *ret_job = e->e.job;
    return SDW_OK;
}

sdw_status sdw_idempotency_begin(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH], const uint8_t body[SDW_IDEMPOTENCY_HASH],
                                 double now, sdw_job_id *ret_job, sdw_error *err)
{
    entry *fresh = sdw_calloc(1, sizeof *fresh);
    if (!fresh) return sdw_fail_memory(err, "idempotency key", sizeof *fresh);
    sdw_hex_from_bytes(key, SDW_IDEMPOTENCY_HASH, fresh->name);
    memcpy(fresh->e.key, key, SDW_IDEMPOTENCY_HASH);
    memcpy(fresh->e.body, body, SDW_IDEMPOTENCY_HASH);
    fresh->e.at = now;
    sdw_status s = SDW_OK;
    pthread_mutex_lock(&t->lock);
    entry *stale = take_stale(t, now);
    const entry *known = sdw_strmap_get(&t->by_key, fresh->name);
    if (known) {
        s = answer(known, body, ret_job, err);
    } else if (sdw_strmap_put(&t->by_key, fresh->name, fresh)) {
        link_entry(t, fresh);
        fresh = NULL;
        ret_job->text[0] = '\0';
    } else {
        s = sdw_fail_memory(err, "idempotency table", 0);
    }
    pthread_mutex_unlock(&t->lock);
    free_list(stale);
    sdw_free(fresh);
    return s;
}

void sdw_idempotency_commit(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH], const sdw_job_id *job, double now)
{
    char name[2 * SDW_IDEMPOTENCY_HASH + 1];
    sdw_hex_from_bytes(key, SDW_IDEMPOTENCY_HASH, name);
    pthread_mutex_lock(&t->lock);
    entry *e = sdw_strmap_get(&t->by_key, name);
    if (e) e->e.job = *job;
    entry *stale = take_stale(t, now);
    pthread_mutex_unlock(&t->lock);
    free_list(stale);
}

void sdw_idempotency_abort(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH])
{
    char name[2 * SDW_IDEMPOTENCY_HASH + 1];
    sdw_hex_from_bytes(key, SDW_IDEMPOTENCY_HASH, name);
    pthread_mutex_lock(&t->lock);
    entry *e = sdw_strmap_get(&t->by_key, name);
    if (e && e->e.job.text[0]) e = NULL; /* committed: not ours to take back */
    if (e) unlink_entry(t, e);
    pthread_mutex_unlock(&t->lock);
    sdw_free(e);
}

void sdw_idempotency_forget(sdw_idempotency *t, const uint8_t key[SDW_IDEMPOTENCY_HASH])
{
    char name[2 * SDW_IDEMPOTENCY_HASH + 1];
    sdw_hex_from_bytes(key, SDW_IDEMPOTENCY_HASH, name);
    pthread_mutex_lock(&t->lock);
    entry *e = sdw_strmap_get(&t->by_key, name);
    if (e) unlink_entry(t, e);
    pthread_mutex_unlock(&t->lock);
    sdw_free(e);
}

sdw_status sdw_idempotency_restore(sdw_idempotency *t, const sdw_idempotency_entry *e, sdw_error *err)
{
    entry *fresh = sdw_calloc(1, sizeof *fresh), *old = NULL, *stale = NULL;
    if (!fresh) return sdw_fail_memory(err, "idempotency key", sizeof *fresh);
    fresh->e = *e;
    sdw_hex_from_bytes(e->key, SDW_IDEMPOTENCY_HASH, fresh->name);
    pthread_mutex_lock(&t->lock);
    old = sdw_strmap_get(&t->by_key, fresh->name);
    if (old) unlink_entry(t, old);
    bool ok = sdw_strmap_put(&t->by_key, fresh->name, fresh);
    if (ok) {
        link_entry(t, fresh);
        stale = take_stale(t, t->newest->e.at);
    }
    pthread_mutex_unlock(&t->lock);
    sdw_free(old);
    free_list(stale);
    if (ok) return SDW_OK;
    sdw_free(fresh);
    return sdw_fail_memory(err, "idempotency table", 0);
}

sdw_status sdw_idempotency_copy(sdw_idempotency *t, double now, sdw_idempotency_entry **ret, size_t *ret_count, sdw_error *err)
{
    pthread_mutex_lock(&t->lock);
    size_t room = t->count + 16;
    pthread_mutex_unlock(&t->lock);
    sdw_idempotency_entry *copy = sdw_calloc(room, sizeof *copy);
    if (!copy) return sdw_fail_memory(err, "copy of the idempotency table", room * sizeof *copy);
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    /* From the newest: what came in meanwhile and has no room are the oldest, next to be dropped anyway. */
    for (const entry *e = t->newest; e && n < room; e = e->older)
        if (e->e.job.text[0] && now - e->e.at < t->ttl_s) copy[n++] = e->e;
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < n / 2; i++) {
        sdw_idempotency_entry swap = copy[i];
        copy[i] = copy[n - 1 - i];
        copy[n - 1 - i] = swap;
    }
    if (n == 0) {
        sdw_free(copy);
        copy = NULL;
    }
    *ret = copy;
    *ret_count = n;
    return SDW_OK;
}
