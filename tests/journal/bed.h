/* bed.h - a state folder to try things in, jobs that are recognised again, and what a journal remembers. */
#ifndef SDW_TEST_BED_H
#define SDW_TEST_BED_H

#include "support/fault_io.h"
#include "worker/journal.h"

enum { BED_JOBS_MAX = 4096 };

typedef struct bed_job { int n, attempts, outputs, deleted; sdw_job_status status; char code[24]; } bed_job;

typedef struct bed {
    const char *path;           /* of the state folder */
    sdw_state_dir *dir;
    sdw_idempotency *keys;
    sdw_journal *journal;
    bed_job jobs[BED_JOBS_MAX]; int count; /* filled by bed_read */
    char log[4096];             /* lines of the journal */
} bed;

/* Removes the folder and what is in it. */
void bed_wipe(const char *path);
/* Opens folder and journal; io NULL = the system. */
sdw_status bed_try_open(bed *b, const char *path, const sdw_io *io, uint64_t rewrite_bytes, sdw_error *err);
void bed_open(bed *b, const char *path, const sdw_io *io, uint64_t rewrite_bytes); /* must succeed */
void bed_close(bed *b);
/* Reads all jobs into b->jobs. */
void bed_read(bed *b);
const bed_job *bed_find(const bed *b, int n); /* NULL: the journal does not know it */

sdw_job_id bed_id(int n);
int bed_number(const sdw_job_id *id);
/* Texts live in static storage or in the caller's echo. */
void bed_record(sdw_job_record *r, int n);
sdw_status bed_accept(bed *b, int n, sdw_error *err);
sdw_status bed_complete(bed *b, int n, int outputs, sdw_error *err);
sdw_status bed_fail(bed *b, int n, const char *code, sdw_error *err);

/* The journal's bytes; size returned. */
size_t bed_load(const char *path, unsigned char *to, size_t room);
void bed_store(const char *path, const unsigned char *from, size_t size);

#endif
