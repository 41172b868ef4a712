/* fetch.c - see fetch.h. What a GET may answer, and what we do:
 *   206 that begins where we asked   append
 *   200, or a 206 of another place   begin anew; a server may ignore Range
 *   416                              begin anew: what we have is not the beginning of that file
 *   403 of another host than asked   a signed address expired: ask the first address again
 *   408, 429, 5xx, a broken body     wait, ask again from where we are; five times without a byte are enough */
#define _GNU_SOURCE /* sync_file_range */
#include "hub/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/address.h"
#include "hub/follower.h"

#define FAILURES_MAX 5
#define PAUSE_S 1
/* Bytes after which the kernel is told to begin writing: the closing fsync then finds little left to do. */
#define WRITEBACK_BYTES ((uint64_t)8 << 20)
/* The hash thread is woken for this much at a time: waking it for every piece would cost more than hashing. */
#define OFFER_BYTES ((uint64_t)1 << 20)

typedef struct transfer {
    const sdw_hub_fetch *f;
    sdw_hub_client *client;
    int fd;
    uint64_t size;          /* bytes in the partial file */
    uint64_t asked_from;    /* of the request that runs */
    uint64_t synced;
    uint64_t offered;       /* told to the hash thread */
    uint64_t moved;         /* fetched and not yet told */
    bool began;             /* the running request's first byte was seen */
    bool again_from_zero;   /* the answer was of another place than asked */
    bool wrong_bytes;       /* what came is not the file: too long, or another hash */
    sdw_hub_follower *follower;
} transfer;

static void tell(transfer *t)
{
    if (t->f->moved) t->f->moved(t->f->ctx, t->size, t->moved);
    t->moved = 0;
}

static sdw_status start_hash(transfer *t, sdw_error *err)
{
    bool git = t->f->hash && strlen(t->f->hash) == 40;
    sdw_hub_follower_close(t->follower);
    t->follower = NULL;
    return sdw_hub_follower_open(t->fd, git ? SDW_DIGEST_GIT_BLOB : SDW_DIGEST_SHA256, t->f->size, &t->follower, err);
}

static sdw_status begin_anew(transfer *t, sdw_error *err)
{
    sdw_hub_follower_close(t->follower); /* before the file gets shorter under it */
    t->follower = NULL;
    if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0)
        return sdw_fail(err, SDW_IO, "%s: cannot begin anew: %s", t->f->partial, strerror(errno));
    t->size = t->synced = t->offered = 0;
    tell(t);
    return start_hash(t, err);
}

static sdw_status open_partial(transfer *t, sdw_error *err)
{
    struct stat st;
    t->fd = open(t->f->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (t->fd < 0 || fstat(t->fd, &st) != 0) return sdw_fail(err, SDW_IO, "%s: cannot open: %s", t->f->partial, strerror(errno));
    if (!S_ISREG(st.st_mode)) return sdw_fail(err, SDW_IO, "%s: is no regular file", t->f->partial);
    t->size = (uint64_t)st.st_size;
    if (t->f->size != UINT64_MAX && t->size > t->f->size) return begin_anew(t, err);
    if (lseek(t->fd, 0, SEEK_END) < 0) return sdw_fail(err, SDW_IO, "%s: cannot seek: %s", t->f->partial, strerror(errno));
    sdw_status s = start_hash(t, err);
    if (s == SDW_OK && t->size) sdw_hub_follower_advance(t->follower, t->size);
    tell(t);
    return s;
}

/* ---- the body of an answer ---- */

static sdw_status wrong_length(const transfer *t, uint64_t found, sdw_error *err)
{
    return sdw_fail(err, SDW_FORMAT, "%s: the server has %" PRIu64 " bytes of it, want %" PRIu64, t->f->shown, found, t->f->size);
}

/* Decides by the head of a 200 or 206 where its bytes belong. */
static sdw_status first_byte(transfer *t, const sdw_hub_headers *h, sdw_error *err)
{
    bool known = t->f->size != UINT64_MAX;
    t->began = true;
    if (h->status == 206) {
        bool total_differs = known && h->range_total != UINT64_MAX && h->range_total != t->f->size;
        if (total_differs) return wrong_length(t, h->range_total, err);
        if (h->has_range && h->range_first == t->asked_from) return SDW_OK;
        t->again_from_zero = true;
        return sdw_fail(err, SDW_IO, "%s: asked for bytes from %" PRIu64 ", got others", t->f->shown, t->asked_from);
    }
    if (known && h->has_length && h->length != t->f->size) return wrong_length(t, h->length, err);
    if (known && !h->has_length && t->size > 0) /* it may be anybody's page: not worth the bytes that we have */
        return sdw_fail(err, SDW_FORMAT, "%s: the server sends something of unknown length, want %" PRIu64 " bytes", t->f->shown, t->f->size);
    sdw_status s = t->size > 0 ? begin_anew(t, err) : SDW_OK;
    if (s == SDW_OK && t->f->begin) s = t->f->begin(t->f->ctx, h, err);
    return s;
}

/* Lets the kernel write behind us, without waiting for it. */
static void write_behind(transfer *t)
{
    if (t->size - t->synced < WRITEBACK_BYTES) return;
#ifdef SYNC_FILE_RANGE_WRITE
    sync_file_range(t->fd, (off_t)t->synced, (off_t)(t->size - t->synced), SYNC_FILE_RANGE_WRITE);
#endif
    t->synced = t->size;
}

static sdw_status on_body(void *ctx, const sdw_hub_headers *head, const void *data, size_t size, sdw_error *err)
{
    transfer *t = ctx;
    const char *at = data;
    sdw_status s = t->began ? SDW_OK : first_byte(t, head, err);
    if (s != SDW_OK) return s;
    if (size > t->f->size - t->size) {
        t->wrong_bytes = true;
        return wrong_length(t, t->size + size, err);
    }
    while (size > 0) {
        ssize_t n = write(t->fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot write: %s", t->f->partial, strerror(errno));
        at += n;
        size -= (size_t)n;
        t->size += (uint64_t)n;
        t->moved += (uint64_t)n;
    }
    write_behind(t);
    if (t->size - t->offered >= OFFER_BYTES) {
        sdw_hub_follower_advance(t->follower, t->size);
        t->offered = t->size;
    }
    tell(t);
    return SDW_OK;
}

/* ---- attempts ---- */

typedef enum verdict { DONE, AGAIN, ANEW, OVER } verdict;

/* After an answer without a fault of the network. */
static verdict judge_answer(transfer *t, const sdw_hub_answer *a, const char *url, sdw_error *err)
{
    int status = a->head.status;
    bool foreign = !sdw_hub_same_origin(url, t->f->url);
    if (status == 200 && !t->began) { /* an empty body */
        sdw_status s = first_byte(t, &a->head, err);
        if (s != SDW_OK) return OVER;
    }
    if (status == 200 || status == 206) {
        if (t->f->size == UINT64_MAX || t->size == t->f->size) return DONE;
        sdw_fail(err, SDW_IO, "%s: ended after %" PRIu64 " of %" PRIu64 " bytes", t->f->shown, t->size, t->f->size);
        return AGAIN;
    }
    if (status == 416 && t->asked_from > 0) {
        sdw_fail(err, SDW_IO, "%s: the server has no bytes from %" PRIu64 " on", t->f->shown, t->asked_from);
        return ANEW;
    }
    if (status < 400) sdw_fail(err, SDW_FORMAT, "%s: the server answers %d, want the file", t->f->shown, status);
    else sdw_hub_refuse(a, url, foreign ? NULL : &t->f->about, err);
    return sdw_hub_is_passing(status) || (status == 403 && foreign) ? AGAIN : OVER;
}

/* Nothing tells whether the server still has the file that the partial one began with. */
static bool cannot_continue(const transfer *t)
{
    return t->size > 0 && !t->f->hash && t->f->if_range && !t->f->if_range[0];
}

static verdict attempt(transfer *t, sdw_hub_answer *a, sdw_error *err)
{
    if (cannot_continue(t) && begin_anew(t, err) != SDW_OK) return OVER;
    char url[SDW_HUB_URL_SIZE];
    const sdw_hub_request r = { .url = t->f->url, .ranged = t->size > 0, .from = t->size, .if_range = t->f->if_range, .body = on_body, .ctx = t };
    t->asked_from = t->size;
    t->began = t->again_from_zero = t->wrong_bytes = false;
    sdw_status s = sdw_hub_perform_following(t->client, &r, SDW_HUB_FOLLOW_ALL, a, url, err);
    if (s == SDW_OK) return judge_answer(t, a, url, err);
    if (t->again_from_zero) return ANEW;
    return a->lost ? AGAIN : OVER;
}

static sdw_status fetch_rest(transfer *t, sdw_error *err)
{
    sdw_hub_answer a = { 0 };
    sdw_status s = SDW_OK;
    for (int failures = 0; t->size != t->f->size;) {
        uint64_t before = t->size;
        verdict v = attempt(t, &a, err);
        if (v == DONE) break;
        s = err->status;
        if (v == OVER) break;
        failures = t->size > before ? 1 : failures + 1;
        if (failures > FAILURES_MAX) break;
        if (v == ANEW) s = begin_anew(t, err);
        else s = sdw_hub_wait_for_retry(t->client, &a, t->f->url, PAUSE_S, err);
        if (s != SDW_OK) break;
    }
    sdw_hub_answer_finish(&a);
    return s;
}

/* ---- the whole ---- */

static sdw_status check_hash(transfer *t, char hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_hub_follower_advance(t->follower, t->size);
    sdw_status s = sdw_hub_follower_hex(t->follower, hash, err);
    if (s != SDW_OK || !t->f->hash || !strcmp(hash, t->f->hash)) return s;
    t->wrong_bytes = true;
    return sdw_fail(err, SDW_FORMAT, "%s: the hash of what came is %s, want %s", t->f->shown, hash, t->f->hash);
}

static sdw_status fetch_once(transfer *t, char hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_status s = fetch_rest(t, err);
    return s == SDW_OK ? check_hash(t, hash, err) : s;
}

sdw_status sdw_hub_fetch_file(sdw_hub_client *c, const sdw_hub_fetch *f, char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    transfer t = { .f = f, .client = c, .fd = -1 };
    sdw_error own = { 0 };
    char hash[SDW_DIGEST_HEX_SIZE];
    if (!err) err = &own;
    sdw_status s = open_partial(&t, err);
    if (s == SDW_OK) s = fetch_once(&t, hash, err);
    if (t.wrong_bytes) { /* once more from the start: perhaps the beginning of an earlier run was to blame */
        t.wrong_bytes = false;
        s = begin_anew(&t, err);
        if (s == SDW_OK) s = fetch_once(&t, hash, err);
        if (t.wrong_bytes) unlink(f->partial);
    }
    if (s == SDW_OK && fsync(t.fd) != 0 && errno != EINVAL && errno != ENOSYS) /* some file systems cannot */
        s = sdw_fail(err, SDW_IO, "%s: cannot be written to the disk: %s", f->partial, strerror(errno));
    if (s == SDW_OK && ret_hash) memcpy(ret_hash, hash, sizeof hash);
    if (s != SDW_OK && t.fd >= 0 && t.size == 0) unlink(f->partial); /* nothing in it to go on from */
    sdw_hub_follower_close(t.follower);
    if (t.fd >= 0) close(t.fd);
    return s;
}
