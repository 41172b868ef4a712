/* journal.c - opening and reading the file, appending records, and the syncs that callers share.
 *
 * Invariants (docs/journal.md has the tests): the file is its head and whole records up to `end`; what lies behind is
 * cut before anything is added. A job is accepted when a sync that began after its record was written has ended well.
 * After a sync that failed nothing in the file is trusted: the next one that needs the disk rewrites the file first. */
#include "worker/journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "core/limits.h"
#include "core/mem.h"

void sdw_journal_tell(sdw_journal *j, int level, const sdw_job_id *id, const char *format, ...)
{
    char text[SDW_ERROR_TEXT_MAX];
    va_list args;
    if (!j->options.log) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    j->options.log(j->options.log_ctx, level, id, text);
}

/* ---- opening ---- */

static sdw_status check_file(sdw_journal *j, uint64_t *ret_size, sdw_error *err)
{
    struct stat st;
    if (fstat(j->fd, &st) != 0) return sdw_fail_errno(err, j->dir->path, "cannot look at the journal");
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return sdw_fail(err, SDW_INVALID, "%s/journal: is not a file of our own", j->dir->path);
    if ((st.st_mode & 077) && fchmod(j->fd, 0600) != 0) return sdw_fail_errno(err, j->dir->path, "cannot close the journal to others");
    *ret_size = (uint64_t)st.st_size;
    return SDW_OK;
}

/* A file that holds no more than the beginning of a head was never used. */
static sdw_status write_head(sdw_journal *j, sdw_error *err)
{
    uint8_t head[SDW_JOURNAL_HEAD_SIZE];
    sdw_journal_head(head);
    if (j->io->ftruncate(j->io->ctx, j->fd, 0) != 0) return sdw_fail_errno(err, j->dir->path, "cannot begin the journal");
    sdw_status s = sdw_write_all(j->io, j->fd, j->dir->path, head, sizeof head, err);
    if (s == SDW_OK && j->io->fsync(j->io->ctx, j->fd) != 0) s = sdw_fail_errno(err, j->dir->path, "cannot sync the journal");
    if (s == SDW_OK && j->io->fsync(j->io->ctx, j->dir->fd) != 0) s = sdw_fail_errno(err, j->dir->path, "cannot sync the folder");
    if (s == SDW_OK) j->end = sizeof head;
    return s;
}

static sdw_status read_head(sdw_journal *j, uint64_t size, bool *ret_fresh, sdw_error *err)
{
    uint8_t head[SDW_JOURNAL_HEAD_SIZE] = { 0 }, want[SDW_JOURNAL_HEAD_SIZE];
    ssize_t n;
    do n = j->io->pread(j->io->ctx, j->fd, head, sizeof head, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return sdw_fail_errno(err, j->dir->path, "cannot read the journal");
    sdw_journal_head(want);
    *ret_fresh = size < sizeof head && memcmp(head, want, (size_t)n) == 0;
    return *ret_fresh ? SDW_OK : sdw_journal_head_check(head, j->dir->path, err);
}

static sdw_status read_records(sdw_journal *j, uint64_t size, sdw_error *err)
{
    sdw_journal_scan scan;
    sdw_journal_record r;
    bool more = true;
    sdw_journal_scan_begin(&scan, j->io, j->fd, j->dir->path, size);
    sdw_status s = sdw_journal_scan_next(&scan, &r, &more, err);
    while (s == SDW_OK && more) {
        sdw_error why = { 0 };
        s = sdw_journal_index_apply(&j->index, &r, j->options.keys, &why);
        if (s == SDW_FORMAT) {
            sdw_journal_tell(j, 1, NULL, "%s; it was passed over", why.text);
            j->stats.damaged++;
            s = SDW_OK;
        }
        if (s != SDW_OK) sdw_fail(err, s, "%s", why.text);
        else s = sdw_journal_scan_next(&scan, &r, &more, err);
    }
    j->end = scan.good_end;
    j->stats.damaged += scan.damaged;
    if (scan.damaged)
        sdw_journal_tell(j, 1, NULL, "%s/journal: %llu damaged places were passed over", j->dir->path, (unsigned long long)scan.damaged);
    sdw_journal_scan_finish(&scan);
    return s;
}

static sdw_status cut_end(sdw_journal *j, uint64_t size, sdw_error *err)
{
    if (size == j->end) return SDW_OK;
    j->stats.cut_bytes = size - j->end;
    sdw_journal_tell(j, 1, NULL, "%s/journal: the last %llu bytes are no whole record and were cut", j->dir->path,
                     (unsigned long long)j->stats.cut_bytes);
    if (j->io->ftruncate(j->io->ctx, j->fd, (off_t)j->end) != 0) return sdw_fail_errno(err, j->dir->path, "cannot cut the journal");
    return j->io->fsync(j->io->ctx, j->fd) == 0 ? SDW_OK : sdw_fail_errno(err, j->dir->path, "cannot sync the journal");
}

static sdw_status open_file(sdw_journal *j, sdw_error *err)
{
    uint64_t size = 0;
    bool fresh = false;
    const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    j->fd = j->io->openat(j->io->ctx, j->dir->fd, "journal", flags, 0600);
    if (j->fd < 0 && errno == ELOOP) return sdw_fail(err, SDW_INVALID, "%s/journal: is a link, want a file", j->dir->path);
    if (j->fd < 0) return sdw_fail_errno(err, j->dir->path, "cannot open the journal");
    sdw_status s = check_file(j, &size, err);
    if (s == SDW_OK) s = read_head(j, size, &fresh, err);
    if (s == SDW_OK && fresh) return write_head(j, err);
    if (s == SDW_OK) s = read_records(j, size, err);
    if (s == SDW_OK) s = cut_end(j, size, err);
    return s;
}

sdw_status sdw_journal_open(sdw_state_dir *dir, const sdw_journal_options *o, sdw_journal **ret, sdw_error *err)
{
    sdw_journal *j = sdw_calloc(1, sizeof *j);
    if (!j) return sdw_fail_memory(err, "journal", sizeof *j);
    j->dir = dir;
    j->fd = -1;
    j->io = dir->io;
    j->options = *o;
    if (!j->options.rewrite_bytes) j->options.rewrite_bytes = SDW_LIMIT_JOURNAL_BYTES;
    sdw_buf_init(&j->owed, SDW_LIMIT_JOURNAL_OWED);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->changed, NULL);
    sdw_status s = open_file(j, err);
    if (s == SDW_OK) *ret = j;
    else sdw_journal_close(j);
    return s;
}

/* ---- appending; the lock is held ---- */

/* Cuts what a failed write left behind the last whole record. */
static sdw_status cut_torn(sdw_journal *j, sdw_error *err)
{
    if (!j->torn) return SDW_OK;
    if (j->io->ftruncate(j->io->ctx, j->fd, (off_t)j->end) != 0) return sdw_fail_errno(err, j->dir->path, "cannot cut a half-written record");
    j->torn = false;
    return SDW_OK;
}

static sdw_status write_bytes(sdw_journal *j, const char *bytes, size_t size, sdw_error *err)
{
    sdw_status s = cut_torn(j, err);
    if (s != SDW_OK) return s;
    s = sdw_write_all(j->io, j->fd, j->dir->path, bytes, size, err);
    if (s != SDW_OK) {
        j->torn = true;
        (void)cut_torn(j, NULL); /* else before the next record */
        return s;
    }
    j->end += size;
    j->written++;
    j->stats.appends++;
    return SDW_OK;
}

/* Tells the index of records that were just written, the first of them at `at`. */
static void apply_written(sdw_journal *j, const char *bytes, size_t size, uint64_t at)
{
    for (size_t i = 0; i < size;) {
        const uint8_t *head = (const uint8_t *)bytes + i;
        size_t n = (size_t)head[4] | (size_t)head[5] << 8 | (size_t)head[6] << 16 | (size_t)head[7] << 24;
        const sdw_journal_record r = { .type = head[12], .at = at + i, .payload = bytes + i + SDW_JOURNAL_RECORD_HEAD, .size = n };
        sdw_error why = { 0 };
        /* Without memory the index misses something that the file has: from now on a rewrite would lose it. */
        if (sdw_journal_index_apply(&j->index, &r, NULL, &why) != SDW_OK) {
            j->index_lags = true;
            sdw_journal_tell(j, 0, NULL, "%s", why.text);
        }
        i += SDW_JOURNAL_RECORD_HEAD + n;
    }
}

static sdw_status pay_owed(sdw_journal *j, sdw_error *err)
{
    uint64_t at = j->end;
    if (j->owed.size == 0) return SDW_OK;
    sdw_status s = write_bytes(j, j->owed.data, j->owed.size, err);
    if (s != SDW_OK) return s;
    apply_written(j, j->owed.data, j->owed.size, at);
    sdw_buf_finish(&j->owed);
    return SDW_OK;
}

/* ---- syncs ---- */

static sdw_status sync_failed(sdw_journal *j, sdw_error *err)
{
    return sdw_fail(err, SDW_IO, "%s/journal: cannot sync it to disk", j->dir->path);
}

/* Waits until record number n is on disk. Whoever comes first syncs for all that are written by then; the others wait
 * for him, and one of them goes next. The lock is held, and let go meanwhile. */
static sdw_status wait_synced(sdw_journal *j, uint64_t n, sdw_error *err)
{
    while (j->synced < n) {
        if (j->failed >= n || (j->suspect && !j->rewriting)) return sync_failed(j, err);
        if (j->syncing || j->exchanging || j->suspect) {
            pthread_cond_wait(&j->changed, &j->lock);
            continue;
        }
        uint64_t covered = j->written;
        int fd = j->fd; /* a rewrite waits for us before it closes it */
        j->syncing = true;
        pthread_mutex_unlock(&j->lock);
        int bad = j->io->fsync(j->io->ctx, fd);
        pthread_mutex_lock(&j->lock);
        j->syncing = false;
        j->stats.syncs++;
        if (bad) {
            j->failed = covered;
            j->suspect = true;
        } else if (covered > j->synced) {
            j->synced = covered;
        }
        pthread_cond_broadcast(&j->changed);
    }
    return SDW_OK;
}

/* The lock is held. After a failed sync only a fresh file can be trusted. */
static sdw_status renew_if_suspect(sdw_journal *j, double now, sdw_error *err)
{
    if (!j->suspect) return SDW_OK;
    pthread_mutex_unlock(&j->lock);
    sdw_status s = sdw_journal_rewrite(j, now, err);
    pthread_mutex_lock(&j->lock);
    if (s == SDW_OK && j->suspect) s = sync_failed(j, err);
    return s;
}

sdw_status sdw_journal_sync(sdw_journal *j, sdw_error *err)
{
    pthread_mutex_lock(&j->lock);
    sdw_status s = renew_if_suspect(j, 0, err);
    if (s == SDW_OK) s = pay_owed(j, err);
    if (s == SDW_OK) s = wait_synced(j, j->written, err);
    pthread_mutex_unlock(&j->lock);
    return s;
}

/* ---- records ---- */

/* The lock is held. Writes what is owed, then these bytes; keeps them if that cannot be. */
static sdw_status append_note(sdw_journal *j, const char *bytes, size_t size, sdw_error *err)
{
    sdw_status s = pay_owed(j, err);
    uint64_t at = j->end;
    if (s == SDW_OK) s = write_bytes(j, bytes, size, err);
    if (s == SDW_OK) {
        apply_written(j, bytes, size, at);
        return SDW_OK;
    }
    if (!sdw_buf_append(&j->owed, bytes, size)) {
        j->owed.failed = false; /* those before it stay owed */
        return sdw_fail(err, SDW_LIMIT, "%s/journal: the disk takes nothing, and %zu bytes of notes wait already: a note is lost", j->dir->path,
                        j->owed.size);
    }
    return s;
}

static sdw_status note(sdw_journal *j, sdw_buf *record, sdw_status s, sdw_error *err)
{
    if (s == SDW_OK) s = sdw_journal_record_close(record, 0, err);
    if (s == SDW_OK) {
        pthread_mutex_lock(&j->lock);
        s = append_note(j, record->data, record->size, err);
        pthread_mutex_unlock(&j->lock);
    }
    sdw_buf_finish(record);
    return s;
}

static sdw_buf begin(sdw_journal_type type)
{
    sdw_buf record;
    sdw_buf_init(&record, SDW_LIMIT_JOURNAL_RECORD + SDW_JOURNAL_RECORD_HEAD);
    sdw_journal_record_begin(&record, type);
    return record;
}

sdw_status sdw_journal_start(sdw_journal *j, const sdw_job_id *id, double at, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_STARTED);
    sdw_buf_printf(&record, "{\"id\":\"%s\",\"at\":%.6f}", id->text, at);
    return note(j, &record, SDW_OK, err);
}

sdw_status sdw_journal_keep(sdw_journal *j, const sdw_job_id *id, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_KEPT);
    sdw_buf_printf(&record, "{\"id\":\"%s\"}", id->text);
    return note(j, &record, SDW_OK, err);
}

sdw_status sdw_journal_end(sdw_journal *j, const sdw_job_id *id, const sdw_job_end *e, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_ENDED);
    return note(j, &record, sdw_job_end_write(id, e, &record, err), err);
}

sdw_status sdw_journal_output_deleted(sdw_journal *j, const sdw_job_id *id, int index, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_OUTPUT_DELETED);
    sdw_buf_printf(&record, "{\"id\":\"%s\",\"index\":%d}", id->text, index);
    return note(j, &record, SDW_OK, err);
}

sdw_status sdw_journal_forget(sdw_journal *j, const sdw_job_id *id, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_FORGOTTEN);
    sdw_buf_printf(&record, "{\"id\":\"%s\"}", id->text);
    return note(j, &record, SDW_OK, err);
}

/* The lock is held. The record stands in the file, but its sync failed: a later one must not bring the job to life. */
static void withdraw(sdw_journal *j, const sdw_job_record *r)
{
    char key[2 * SDW_IDEMPOTENCY_HASH + 1];
    sdw_error why = { 0 };
    sdw_buf record = begin(SDW_JOURNAL_WITHDRAWN);
    sdw_hex_from_bytes(r->idempotency_key, SDW_IDEMPOTENCY_HASH, key);
    if (r->is_idempotent) sdw_buf_printf(&record, "{\"id\":\"%s\",\"key\":\"%s\"}", r->id.text, key);
    else sdw_buf_printf(&record, "{\"id\":\"%s\"}", r->id.text);
    sdw_status s = sdw_journal_record_close(&record, 0, &why);
    if (s == SDW_OK) s = append_note(j, record.data, record.size, &why);
    sdw_journal_job *job = sdw_journal_index_find(&j->index, r->id.text);
    if (s != SDW_OK) sdw_journal_tell(j, 0, &r->id, "%s", why.text);
    if (job && job->accepted.at + SDW_JOURNAL_RECORD_HEAD + job->accepted.size == j->end) {
        /* Not even the note: but nothing stands behind the record, so it can be cut. */
        j->end = job->accepted.at;
        j->torn = true;
        (void)cut_torn(j, NULL);
    }
    if (job) sdw_journal_index_remove(&j->index, job);
    sdw_buf_finish(&record);
}

static sdw_status append_accepted(sdw_journal *j, const sdw_job_record *r, const sdw_buf *record, sdw_journal_job **job, sdw_error *err)
{
    sdw_status s = renew_if_suspect(j, r->created_at, err);
    if (s == SDW_OK) s = pay_owed(j, err);
    if (s == SDW_OK && sdw_journal_index_find(&j->index, r->id.text))
        s = sdw_fail(err, SDW_EXISTS, "journal: job %s is accepted already", r->id.text);
    if (s == SDW_OK && !sdw_strmap_reserve(&j->index.jobs)) s = sdw_fail_memory(err, "index of the journal", 0);
    uint64_t at = j->end;
    if (s == SDW_OK) s = write_bytes(j, record->data, record->size, err);
    if (s != SDW_OK) return s;
    (void)sdw_journal_index_add(&j->index, *job, (sdw_journal_extent){ at, record->size - SDW_JOURNAL_RECORD_HEAD });
    *job = NULL;
    s = wait_synced(j, j->written, err);
    if (s != SDW_OK) withdraw(j, r);
    return s;
}

sdw_status sdw_journal_accept(sdw_journal *j, const sdw_job_record *r, sdw_error *err)
{
    sdw_buf record = begin(SDW_JOURNAL_ACCEPTED);
    sdw_journal_job *job = sdw_journal_job_create(&r->id);
    sdw_status s = job ? sdw_job_record_write(r, &record, err) : sdw_fail_memory(err, "index of the journal", sizeof *job);
    if (s == SDW_OK) s = sdw_journal_record_close(&record, 0, err);
    if (s == SDW_OK) {
        pthread_mutex_lock(&j->lock);
        s = append_accepted(j, r, &record, &job, err);
        pthread_mutex_unlock(&j->lock);
    }
    sdw_free(job);
    sdw_buf_finish(&record);
    return s;
}

/* ---- reading back ---- */

static const char *payload(const sdw_buf *record, size_t *ret_size)
{
    *ret_size = record->size - SDW_JOURNAL_RECORD_HEAD;
    return record->data + SDW_JOURNAL_RECORD_HEAD;
}

/* A job that cannot be read is shown as failed, so that whoever asks for it learns why. */
static void unreadable(sdw_journal *j, const sdw_journal_job *job, const char *why, sdw_job_record *ret)
{
    sdw_journal_tell(j, 0, &job->id, "%s", why);
    *ret = (sdw_job_record){ .id = job->id };
    sdw_params_init(&ret->params);
    ret->end.status = SDW_JOB_FAILED;
    snprintf(ret->end.error.code, sizeof ret->end.error.code, "INVALID_REQUEST");
    snprintf(ret->end.error.message, sizeof ret->end.error.message, "after a restart: %.400s", why);
}

static sdw_status read_job(sdw_journal *j, const sdw_journal_job *job, sdw_buf *record, sdw_job_record *ret, void **ret_end_owner, sdw_error *err)
{
    size_t size;
    sdw_status s = sdw_journal_read_at(j->io, j->fd, j->dir->path, job->accepted.at, job->accepted.size, record, err);
    if (s != SDW_OK) return s;
    const char *json = payload(record, &size);
    s = sdw_job_record_read(json, size, ret, err);
    if (s != SDW_OK) return s;
    ret->attempts = job->attempts;
    if (!job->end.at) return SDW_OK;
    s = sdw_journal_read_at(j->io, j->fd, j->dir->path, job->end.at, job->end.size, record, err);
    if (s == SDW_OK) {
        json = payload(record, &size);
        s = sdw_job_end_read(json, size, &ret->end, ret_end_owner, err);
    }
    for (int i = 0; s == SDW_OK && i < ret->end.output_count; i++)
        if (job->deleted >> i & 1) ret->end.outputs[i].deleted = true;
    if (s != SDW_OK) sdw_job_record_finish(ret);
    return s;
}

sdw_status sdw_journal_each(sdw_journal *j, sdw_journal_job_fn *each, void *ctx, sdw_error *err)
{
    sdw_status s = SDW_OK;
    sdw_buf record;
    sdw_buf_init(&record, 0);
    /* The job called for may be forgotten by the call, the one after it not. */
    for (sdw_journal_job *job = j->index.first, *next; job && s == SDW_OK; job = next) {
        sdw_job_record r = { 0 };
        void *end_owner = NULL;
        sdw_error why = { 0 };
        next = job->after;
        s = read_job(j, job, &record, &r, &end_owner, &why);
        if (s == SDW_FORMAT || s == SDW_INVALID || s == SDW_LIMIT) {
            unreadable(j, job, why.text, &r);
            s = SDW_OK;
        }
        if (s == SDW_OK) s = each(ctx, &r, err);
        else sdw_fail(err, s, "%s", why.text);
        sdw_job_end_free(end_owner);
        sdw_job_record_finish(&r);
    }
    sdw_buf_finish(&record);
    return s;
}

void sdw_journal_stats_of(sdw_journal *j, sdw_journal_stats *ret)
{
    pthread_mutex_lock(&j->lock);
    *ret = j->stats;
    ret->bytes = j->end;
    ret->live_bytes = j->index.live_bytes;
    ret->jobs = j->index.jobs.count;
    ret->owed_bytes = j->owed.size;
    pthread_mutex_unlock(&j->lock);
}

void sdw_journal_close(sdw_journal *j)
{
    if (!j) return;
    sdw_error why = { 0 };
    if (j->fd >= 0 && j->end > 0 && sdw_journal_sync(j, &why) != SDW_OK) sdw_journal_tell(j, 1, NULL, "%s", why.text);
    if (j->fd >= 0) j->io->close(j->io->ctx, j->fd);
    sdw_journal_index_finish(&j->index);
    sdw_buf_finish(&j->owed);
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->lock);
    sdw_free(j);
}
