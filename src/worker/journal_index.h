/* journal_index.h - which records of the journal still matter, and where they stand: what reading the file from the
 * start would tell, kept up to date. Not thread-safe: the journal's mutex guards it. */
#ifndef SDW_WORKER_JOURNAL_INDEX_H
#define SDW_WORKER_JOURNAL_INDEX_H

#include "core/strmap.h"
#include "worker/idempotency.h"
#include "worker/journal_format.h"

typedef struct sdw_journal_extent { uint64_t at; size_t size; } sdw_journal_extent; /* head of a record; bytes of its payload */

typedef struct sdw_journal_job {
    sdw_job_id id;
    sdw_journal_extent accepted, end; /* end.at 0: has not ended */
    int attempts;                     /* starts without an end */
    uint32_t deleted;                 /* bit i: output i */
    struct sdw_journal_job *before, *after; /* in order of acceptance */
} sdw_journal_job;

typedef struct sdw_journal_index {
    sdw_strmap jobs;
    sdw_journal_job *first, *last;    /* owned */
    uint64_t live_bytes;              /* records of these jobs */
} sdw_journal_index;

void sdw_journal_index_finish(sdw_journal_index *x);

/* NULL without memory. Needs no lock; add cannot fail afterwards once reserve was called for it. */
sdw_journal_job *sdw_journal_job_create(const sdw_job_id *id);
/* Takes over `fresh`. false: no memory, or a job of that id is there; fresh is freed then. */
bool sdw_journal_index_add(sdw_journal_index *x, sdw_journal_job *fresh, sdw_journal_extent accepted);
sdw_journal_job *sdw_journal_index_find(const sdw_journal_index *x, const char *id);
void sdw_journal_index_end(sdw_journal_index *x, sdw_journal_job *job, sdw_journal_extent end);
void sdw_journal_index_remove(sdw_journal_index *x, sdw_journal_job *job);

/* What one record of the file means; keys may be NULL. Unknown types, and records about jobs that are not there, mean
 * nothing. FORMAT: the checksum was good but the text is not what such a record holds. NO_MEMORY. */
sdw_status sdw_journal_index_apply(sdw_journal_index *x, const sdw_journal_record *r, sdw_idempotency *keys, sdw_error *err);

#endif
