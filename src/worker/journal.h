/* journal.h - what was promised, on disk: an append-only file of the jobs that were accepted and of what became of them.
 * The format, and what holds when a process or machine dies, are in docs/journal.md.
 *
 *     sdw_journal_open(dir, &o, &j, &err);        reads the file, cuts a torn end
 *     sdw_journal_each(j, queue_again, ctx, &err);
 *     ... sdw_journal_accept (request threads) ... sdw_journal_start, _end (engine and desk) ...
 *     sdw_journal_close(j);
 *
 * Any thread, except open, each and close. Only accept, sync and rewrite wait for the disk; the rest hand bytes to the
 * system and return. */
#ifndef SDW_WORKER_JOURNAL_H
#define SDW_WORKER_JOURNAL_H

#include "worker/idempotency.h"
#include "worker/job_record.h"
#include "worker/state_dir.h"

typedef struct sdw_journal sdw_journal;

/* A job that was running when the process died this often is not tried again. */
#define SDW_JOURNAL_ATTEMPTS_MAX 2

typedef struct sdw_journal_options {
    sdw_idempotency *keys;      /* filled by open, asked by rewrite; borrowed; may be NULL */
    uint64_t rewrite_bytes;     /* 0 = SDW_LIMIT_JOURNAL_BYTES (64 MiB) */
    sdw_worker_log_fn *log; void *log_ctx; /* one line for each thing found odd; may be NULL */
} sdw_journal_options;

/* dir is borrowed and outlives the journal. A journal of a newer format is UNSUPPORTED, one that is none FORMAT; both are
 * left as they are. Writes. */
sdw_status sdw_journal_open(sdw_state_dir *dir, const sdw_journal_options *o, sdw_journal **ret, sdw_error *err);
void sdw_journal_close(sdw_journal *j); /* accepts NULL; writes */

/* Every job that is not forgotten, in the order of acceptance. r is finished after the call. A job whose request this
 * program cannot read comes as FAILED, INVALID_REQUEST. Stops at the first status that is not OK and returns it. */
typedef sdw_status sdw_journal_job_fn(void *ctx, const sdw_job_record *r, sdw_error *err);
sdw_status sdw_journal_each(sdw_journal *j, sdw_journal_job_fn *job, void *ctx, sdw_error *err);

/* Returns OK once the record survives a power cut; calls that come at once share a sync. After a failure (IO: disk full
 * or broken; LIMIT: record too large; INVALID: not UTF-8) the job was never accepted, also after a restart. */
sdw_status sdw_journal_accept(sdw_journal *j, const sdw_job_record *r, sdw_error *err);

/* Notes. What cannot be written now is kept and written before the next record; the error tells for a log line. A
 * process that dies loses none that were written; a machine that dies may. */
sdw_status sdw_journal_start(sdw_journal *j, const sdw_job_id *id, double at, sdw_error *err);
sdw_status sdw_journal_keep(sdw_journal *j, const sdw_job_id *id, sdw_error *err); /* stopped on purpose: that start was no crash */
sdw_status sdw_journal_end(sdw_journal *j, const sdw_job_id *id, const sdw_job_end *e, sdw_error *err);
sdw_status sdw_journal_output_deleted(sdw_journal *j, const sdw_job_id *id, int index, sdw_error *err);
sdw_status sdw_journal_forget(sdw_journal *j, const sdw_job_id *id, sdw_error *err);

/* Returns when all notes so far survive a power cut. For desk threads, such as before an end is told to the client. */
sdw_status sdw_journal_sync(sdw_journal *j, sdw_error *err);

/* Over its size and mostly dead? Then rewrite, on a desk thread: others go on writing meanwhile. On failure the old file
 * stays in use. */
bool sdw_journal_wants_rewrite(sdw_journal *j);
sdw_status sdw_journal_rewrite(sdw_journal *j, double now, sdw_error *err);

typedef struct sdw_journal_stats {
    uint64_t bytes, live_bytes;  /* of the file; of the records that a rewrite keeps */
    uint64_t appends, syncs, rewrites;
    size_t jobs, owed_bytes;     /* notes not written yet */
    uint64_t cut_bytes, damaged; /* found by open: bytes cut from the end, damaged places passed over */
} sdw_journal_stats;
void sdw_journal_stats_of(sdw_journal *j, sdw_journal_stats *ret);

#endif
