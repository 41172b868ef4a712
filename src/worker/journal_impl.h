/* journal_impl.h - the journal's inside, shared by journal.c (open, records, syncs) and journal_rewrite.c. */
#ifndef SDW_WORKER_JOURNAL_IMPL_H
#define SDW_WORKER_JOURNAL_IMPL_H

#include <pthread.h>

#include "worker/journal.h"
#include "worker/journal_index.h"

struct sdw_journal {
    sdw_state_dir *dir;
    const sdw_io *io;
    sdw_journal_options options;

    /* The lock is held during write and ftruncate, so that records stand whole and in order, never during a sync. */
    pthread_mutex_t lock;
    pthread_cond_t changed;      /* a sync or a rewrite ended */
    int fd;
    uint64_t end;                /* good bytes of the file */
    bool torn;                   /* bytes behind `end` could not be cut yet */
    sdw_journal_index index;
    bool index_lags;             /* it misses a record of the file: no rewrite until the next start */
    sdw_buf owed;                /* whole records that the disk did not take */

    /* Records are numbered as they are written; a sync covers all those written before it began. */
    uint64_t written, synced, failed;
    bool syncing;
    bool suspect;                /* a sync failed: what the file holds on disk is unknown until it is rewritten */
    bool rewriting;
    bool exchanging;             /* its last act: no sync begins, else it would wait for ever for one not to run */
    uint64_t rewrite_above;      /* size below which another rewrite would not pay */
    sdw_journal_stats stats;
};

/* One line for the log; id may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
void sdw_journal_tell(sdw_journal *j, int level, const sdw_job_id *id, const char *format, ...);

#endif
