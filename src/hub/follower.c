/* follower.c - see follower.h. */
#include "hub/follower.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#define PIECE_BYTES ((size_t)512 << 10) /* stays in the second-level cache between reading and hashing */

struct sdw_hub_follower {
    int fd;                /* borrowed */
    unsigned char *piece;  /* owned; the thread's */
    sdw_digest *digest;    /* owned; the thread's until it ends */
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t moved;
    uint64_t length;       /* told */
    bool last, stop;       /* no more will be told; end at once */
    sdw_status status;     /* the thread's, read after it ended */
    sdw_error err;
};

/* Waits until there is more than `done`; false at the end. */
static bool next_length(sdw_hub_follower *f, uint64_t done, uint64_t *ret)
{
    pthread_mutex_lock(&f->mutex);
    while (f->length <= done && !f->last && !f->stop) pthread_cond_wait(&f->moved, &f->mutex);
    *ret = f->length;
    bool more = f->length > done && !f->stop;
    pthread_mutex_unlock(&f->mutex);
    return more;
}

static sdw_status hash_piece(sdw_hub_follower *f, uint64_t *done, uint64_t length)
{
    size_t want = length - *done < PIECE_BYTES ? (size_t)(length - *done) : PIECE_BYTES;
    ssize_t n = pread(f->fd, f->piece, want, (off_t)*done);
    if (n < 0 && errno == EINTR) return SDW_OK;
    if (n < 0) return sdw_fail(&f->err, SDW_IO, "cannot read back what was fetched: %s", strerror(errno));
    if (n == 0) return sdw_fail(&f->err, SDW_IO, "the partial file became shorter while it was written");
    *done += (uint64_t)n;
    return sdw_digest_add(f->digest, f->piece, (size_t)n, &f->err);
}

static void *follow(void *ctx)
{
    sdw_hub_follower *f = ctx;
    uint64_t done = 0, length = 0;
    while (f->status == SDW_OK && next_length(f, done, &length))
        f->status = hash_piece(f, &done, length);
    return NULL;
}

sdw_status sdw_hub_follower_open(int fd, sdw_digest_kind kind, uint64_t size, sdw_hub_follower **ret, sdw_error *err)
{
    sdw_hub_follower *f = sdw_calloc(1, sizeof *f);
    if (!f) return sdw_fail_memory(err, "hash thread", sizeof *f);
    f->fd = fd;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->moved, NULL);
    f->piece = sdw_malloc(PIECE_BYTES);
    sdw_status s = f->piece ? sdw_digest_open(kind, size, &f->digest, err) : sdw_fail_memory(err, "hash thread", PIECE_BYTES);
    if (s == SDW_OK) {
        int error = pthread_create(&f->thread, NULL, follow, f);
        f->running = error == 0;
        if (error) s = sdw_fail(err, SDW_NO_MEMORY, "hash thread: cannot be started: %s", strerror(error));
    }
    if (s == SDW_OK) *ret = f;
    else sdw_hub_follower_close(f);
    return s;
}

void sdw_hub_follower_advance(sdw_hub_follower *f, uint64_t length)
{
    pthread_mutex_lock(&f->mutex);
    f->length = length;
    pthread_cond_signal(&f->moved);
    pthread_mutex_unlock(&f->mutex);
}

static void end_thread(sdw_hub_follower *f, bool at_once)
{
    if (!f->running) return;
    pthread_mutex_lock(&f->mutex);
    f->last = true;
    f->stop = at_once;
    pthread_cond_signal(&f->moved);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    f->running = false;
}

sdw_status sdw_hub_follower_hex(sdw_hub_follower *f, char ret_hex[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    end_thread(f, false);
    if (f->status == SDW_OK) return sdw_digest_hex(f->digest, ret_hex, err);
    if (err) *err = f->err;
    return f->status;
}

void sdw_hub_follower_close(sdw_hub_follower *f)
{
    if (!f) return;
    end_thread(f, true);
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->mutex);
    sdw_digest_close(f->digest);
    sdw_free(f->piece);
    sdw_free(f);
}
