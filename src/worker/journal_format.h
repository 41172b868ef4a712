/* journal_format.h - the bytes of a journal; docs/journal.md describes them. No state, no policy. */
#ifndef SDW_WORKER_JOURNAL_FORMAT_H
#define SDW_WORKER_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/io.h"
#include "core/status.h"

#define SDW_JOURNAL_FORMAT 1
#define SDW_JOURNAL_HEAD_SIZE 16
#define SDW_JOURNAL_RECORD_HEAD 16

/* Numbers are for ever; a new kind gets a new one. Readers pass over what they do not know. */
typedef enum sdw_journal_type {
    SDW_JOURNAL_ACCEPTED = 1,       /* job_record.h */
    SDW_JOURNAL_STARTED = 2,        /* {"id","at"} or {"id","at","attempts"} */
    SDW_JOURNAL_KEPT = 3,           /* {"id"}: stopped on purpose, that start does not count */
    SDW_JOURNAL_ENDED = 4,          /* job_record.h: completed, failed or cancelled */
    SDW_JOURNAL_OUTPUT_DELETED = 5, /* {"id","index"} */
    SDW_JOURNAL_FORGOTTEN = 6,      /* {"id"}: expired */
    SDW_JOURNAL_KEY = 7,            /* {"id","key","body","at"}: an idempotency key whose job may be gone */
    SDW_JOURNAL_WITHDRAWN = 8       /* {"id"} or {"id","key"}: the record came, its sync did not: never accepted */
} sdw_journal_type;

void sdw_journal_head(uint8_t ret[SDW_JOURNAL_HEAD_SIZE]);
/* FORMAT: no journal; UNSUPPORTED: of a newer format. `path` for the text. */
sdw_status sdw_journal_head_check(const uint8_t head[SDW_JOURNAL_HEAD_SIZE], const char *path, sdw_error *err);

/* Begins a record in an empty place of out, to be followed by its payload; close fills in length and checksum. `at` is
 * what begin returned. close: LIMIT if it is too large. */
size_t sdw_journal_record_begin(sdw_buf *out, sdw_journal_type type);
sdw_status sdw_journal_record_close(sdw_buf *out, size_t at, sdw_error *err);

typedef struct sdw_journal_record {
    uint32_t type;
    uint64_t at;              /* of its head in the file */
    const char *payload; size_t size; /* of the scan, until its next call */
} sdw_journal_record;

/* Reads a file record by record. Damaged places are passed over when a good record follows; *ret_more false: none
 * does. IO errors are returned. */
typedef struct sdw_journal_scan {
    const sdw_io *io;
    int fd;
    const char *path;
    uint64_t at, size;        /* next byte; bytes of the file */
    uint64_t good_end;        /* end of the last good record (or of the head) */
    uint64_t damaged;         /* places passed over */
    sdw_buf payload;
} sdw_journal_scan;
void sdw_journal_scan_begin(sdw_journal_scan *s, const sdw_io *io, int fd, const char *path, uint64_t size);
sdw_status sdw_journal_scan_next(sdw_journal_scan *s, sdw_journal_record *ret, bool *ret_more, sdw_error *err);
void sdw_journal_scan_finish(sdw_journal_scan *s);

/* Reads the record whose head stands at `at` and whose payload has `size` bytes into out (cleared first). FORMAT: it is damaged. */
sdw_status sdw_journal_read_at(const sdw_io *io, int fd, const char *path, uint64_t at, size_t size, sdw_buf *out, sdw_error *err);

#endif
