/* journal_rewrite.c - a new file with what still matters, put in the place of the old one.
 *
 * Others go on writing to the old file meanwhile: what they add behind the point where the copy began stands there in
 * one piece, and is added to the new file as it is, most of it while the lock is free. Only the last bytes, the rename
 * and the exchange happen under the lock. */
#include "worker/journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/hex.h"
#include "core/mem.h"

#define PIECE ((size_t)1 << 20)
/* So little of what was added meanwhile is copied under the lock. */
#define LAST_BYTES ((uint64_t)64 << 10)
#define ROUNDS 8

/* A job as it was when the copy began. */
typedef struct row {
    sdw_journal_job was;          /* its links are not used */
    sdw_journal_extent accepted, end; /* in the new file */
} row;

typedef struct copy {
    sdw_journal *j;
    row *rows; size_t count;      /* owned */
    uint64_t begun_at;            /* end of the old file when the copy began */
    uint64_t copied_to;           /* what was added to it is copied up to here */
    char temporary[SDW_TEMPORARY_SIZE];
    int fd;                       /* -1 = none */
    uint64_t size;                /* written to the new file */
    uint64_t tail_at;             /* where the additions begin in it */
    sdw_buf out, record;
} copy;

bool sdw_journal_wants_rewrite(sdw_journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool wants = j->end > j->options.rewrite_bytes && j->end > j->rewrite_above && j->index.live_bytes < j->end / 2 && !j->rewriting &&
                 !j->index_lags;
    pthread_mutex_unlock(&j->lock);
    return wants;
}

/* ---- writing the new file; the lock is free ---- */

static sdw_status flush(copy *c, sdw_error *err)
{
    sdw_status s = sdw_write_all(c->j->io, c->fd, c->j->dir->path, c->out.data, c->out.size, err);
    c->size += c->out.size;
    c->out.size = 0;
    return s;
}

static uint64_t position(const copy *c)
{
    return c->size + c->out.size;
}

static sdw_status add(copy *c, const void *bytes, size_t size, sdw_error *err)
{
    if (!sdw_buf_append(&c->out, bytes, size)) return sdw_fail_memory(err, "rewriting the journal", size);
    return c->out.size >= PIECE ? flush(c, err) : SDW_OK;
}

static sdw_status copy_record(copy *c, sdw_journal_extent from, sdw_journal_extent *to, sdw_error *err)
{
    sdw_status s = sdw_journal_read_at(c->j->io, c->j->fd, c->j->dir->path, from.at, from.size, &c->record, err);
    if (s != SDW_OK) return s;
    *to = (sdw_journal_extent){ position(c), from.size };
    return add(c, c->record.data, c->record.size, err);
}

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static sdw_status add_text(copy *c, sdw_journal_type type, sdw_error *err, const char *format, ...)
{
    va_list args;
    char text[512];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->record.size = 0;
    sdw_journal_record_begin(&c->record, type);
    sdw_buf_puts(&c->record, text);
    sdw_status s = sdw_journal_record_close(&c->record, 0, err);
    return s == SDW_OK ? add(c, c->record.data, c->record.size, err) : s;
}

static sdw_status copy_job(copy *c, row *r, sdw_error *err)
{
    sdw_status s = copy_record(c, r->was.accepted, &r->accepted, err);
    if (s == SDW_OK && r->was.attempts && !r->was.end.at)
        s = add_text(c, SDW_JOURNAL_STARTED, err, "{\"id\":\"%s\",\"attempts\":%d}", r->was.id.text, r->was.attempts);
    if (s == SDW_OK && r->was.end.at) s = copy_record(c, r->was.end, &r->end, err);
    for (int i = 0; i < SDW_JOB_PICTURES_MAX && s == SDW_OK; i++)
        if (r->was.deleted >> i & 1) s = add_text(c, SDW_JOURNAL_OUTPUT_DELETED, err, "{\"id\":\"%s\",\"index\":%d}", r->was.id.text, i);
    return s;
}

/* A record that cannot be read any more is lost, with a loud line, and not the others with it. */
static sdw_status copy_jobs(copy *c, sdw_error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        sdw_error why = { 0 };
        sdw_status s = copy_job(c, &c->rows[i], &why);
        if (s == SDW_FORMAT) sdw_journal_tell(c->j, 0, &c->rows[i].was.id, "%s; it is lost", why.text);
        else if (s != SDW_OK) return sdw_fail(err, s, "%s", why.text);
    }
    return SDW_OK;
}

static sdw_status copy_keys(copy *c, double now, sdw_error *err)
{
    sdw_idempotency_entry *keys = NULL;
    size_t count = 0;
    if (!c->j->options.keys) return SDW_OK;
    sdw_status s = sdw_idempotency_copy(c->j->options.keys, now, &keys, &count, err);
    for (size_t i = 0; i < count && s == SDW_OK; i++) {
        char key[2 * SDW_IDEMPOTENCY_HASH + 1], body[2 * SDW_IDEMPOTENCY_HASH + 1];
        sdw_hex_from_bytes(keys[i].key, SDW_IDEMPOTENCY_HASH, key);
        sdw_hex_from_bytes(keys[i].body, SDW_IDEMPOTENCY_HASH, body);
        s = add_text(c, SDW_JOURNAL_KEY, err, "{\"id\":\"%s\",\"key\":\"%s\",\"body\":\"%s\",\"at\":%.6f}", keys[i].job.text, key, body, keys[i].at);
    }
    sdw_free(keys);
    return s;
}

static sdw_status sync_new(copy *c, sdw_error *err)
{
    sdw_status s = flush(c, err);
    if (s == SDW_OK && c->j->io->fsync(c->j->io->ctx, c->fd) != 0) s = sdw_fail_errno(err, c->j->dir->path, "cannot sync the new journal");
    return s;
}

static sdw_status write_new(copy *c, double now, sdw_error *err)
{
    uint8_t head[SDW_JOURNAL_HEAD_SIZE];
    sdw_status s = sdw_temporary_at(c->j->io, c->j->dir->fd, O_RDWR | O_APPEND, 0600, c->j->dir->path, c->temporary, &c->fd, err);
    if (s != SDW_OK) return s;
    sdw_journal_head(head);
    s = add(c, head, sizeof head, err);
    if (s == SDW_OK) s = copy_jobs(c, err);
    if (s == SDW_OK) s = copy_keys(c, now, err);
    c->tail_at = position(c);
    return s == SDW_OK ? sync_new(c, err) : s;
}

/* What was added to the old file up to `to`, whole records all of it. */
static sdw_status copy_additions(copy *c, uint64_t to, sdw_error *err)
{
    while (c->copied_to < to) {
        size_t want = to - c->copied_to < PIECE ? (size_t)(to - c->copied_to) : PIECE;
        c->record.size = 0;
        char *piece = sdw_buf_reserve(&c->record, want);
        if (!piece) return sdw_fail_memory(err, "rewriting the journal", want);
        ssize_t n = c->j->io->pread(c->j->io->ctx, c->j->fd, piece, want, (off_t)c->copied_to);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return sdw_fail_errno(err, c->j->dir->path, "cannot read the journal");
        sdw_status s = add(c, piece, (size_t)n, err);
        if (s != SDW_OK) return s;
        c->copied_to += (uint64_t)n;
    }
    return SDW_OK;
}

/* ---- exchange; the lock is held ---- */

static void move(sdw_journal_extent *e, const copy *c, sdw_journal_extent copied)
{
    if (!e->at) return;
    if (e->at >= c->begun_at) e->at = e->at - c->begun_at + c->tail_at;
    else *e = copied;
}

/* The rows are in the order of the list, and jobs only leave it or are added at its end. */
static void move_index(copy *c)
{
    size_t i = 0;
    for (sdw_journal_job *job = c->j->index.first, *next; job; job = next) {
        row none = { 0 }, *r = &none;
        next = job->after;
        if (job->accepted.at < c->begun_at) {
            while (strcmp(c->rows[i].was.id.text, job->id.text) != 0) i++;
            r = &c->rows[i];
        }
        move(&job->accepted, c, r->accepted);
        move(&job->end, c, r->end);
        if (!job->accepted.at) sdw_journal_index_remove(&c->j->index, job); /* could not be copied */
    }
}

static sdw_status put_in_place(copy *c, sdw_error *err)
{
    sdw_journal *j = c->j;
    while (j->syncing) pthread_cond_wait(&j->changed, &j->lock);
    sdw_status s = copy_additions(c, j->end, err);
    if (s == SDW_OK && c->copied_to > c->begun_at) s = sync_new(c, err);
    if (s == SDW_OK && j->io->renameat(j->io->ctx, j->dir->fd, c->temporary, "journal") != 0)
        s = sdw_fail_errno(err, j->dir->path, "cannot put the new journal in place");
    if (s != SDW_OK) return s;
    c->temporary[0] = '\0';
    move_index(c);
    j->io->close(j->io->ctx, j->fd);
    j->fd = c->fd;
    c->fd = -1;
    j->end = c->size;
    j->torn = false;
    j->stats.rewrites++;
    j->rewrite_above = 2 * j->end;
    j->suspect = j->io->fsync(j->io->ctx, j->dir->fd) != 0;
    if (j->suspect) return sdw_fail_errno(err, j->dir->path, "cannot sync the folder of the journal");
    j->synced = j->written;
    return SDW_OK;
}

static sdw_status exchange(copy *c, sdw_error *err)
{
    c->j->exchanging = true;
    sdw_status s = put_in_place(c, err);
    c->j->exchanging = false;
    return s;
}

static sdw_status rewrite(copy *c, double now, sdw_error *err)
{
    sdw_journal *j = c->j;
    pthread_mutex_unlock(&j->lock);
    sdw_status s = write_new(c, now, err);
    pthread_mutex_lock(&j->lock);
    for (int round = 0; s == SDW_OK && round < ROUNDS && j->end - c->copied_to > LAST_BYTES; round++) {
        uint64_t to = j->end;
        pthread_mutex_unlock(&j->lock);
        s = copy_additions(c, to, err);
        if (s == SDW_OK) s = sync_new(c, err);
        pthread_mutex_lock(&j->lock);
    }
    return s == SDW_OK ? exchange(c, err) : s;
}

static sdw_status take_rows(copy *c, sdw_error *err)
{
    const sdw_journal_index *x = &c->j->index;
    c->rows = sdw_calloc(x->jobs.count + 1, sizeof *c->rows);
    if (!c->rows) return sdw_fail_memory(err, "rewriting the journal", x->jobs.count * sizeof *c->rows);
    for (const sdw_journal_job *job = x->first; job; job = job->after) c->rows[c->count++].was = *job;
    c->begun_at = c->copied_to = c->j->end;
    return SDW_OK;
}

sdw_status sdw_journal_rewrite(sdw_journal *j, double now, sdw_error *err)
{
    copy c = { .j = j, .fd = -1 };
    sdw_buf_init(&c.out, 0);
    sdw_buf_init(&c.record, 0);
    pthread_mutex_lock(&j->lock);
    uint64_t before = j->stats.rewrites;
    while (j->rewriting) pthread_cond_wait(&j->changed, &j->lock);
    bool done = j->stats.rewrites != before && !j->suspect; /* by somebody else, meanwhile */
    sdw_status s = SDW_OK;
    if (!done && j->index_lags) s = sdw_fail(err, SDW_NO_MEMORY, "%s/journal: cannot be rewritten before a restart", j->dir->path);
    if (!done && s == SDW_OK) {
        j->rewriting = true;
        s = take_rows(&c, err);
        if (s == SDW_OK) s = rewrite(&c, now, err);
        if (s != SDW_OK) j->rewrite_above = j->end + j->options.rewrite_bytes / 4;
        j->rewriting = false;
        pthread_cond_broadcast(&j->changed);
    }
    pthread_mutex_unlock(&j->lock);
    if (c.fd >= 0) j->io->close(j->io->ctx, c.fd);
    if (c.temporary[0] && c.fd >= 0) j->io->unlinkat(j->io->ctx, j->dir->fd, c.temporary);
    sdw_free(c.rows);
    sdw_buf_finish(&c.out);
    sdw_buf_finish(&c.record);
    return s;
}
