/* store.h - the pictures that belong to jobs: inputs of those that have not ended, outputs of those that have. In the
 * state folder, or in memory where there is none; the caller sees no difference, except that inputs are only kept in a
 * folder (a job holds its own copy).
 *
 * The store also decides which finished jobs are forgotten: it counts them, their bytes and their age, oldest first out.
 * Any thread; no lock is held during disk access. */
#ifndef SDW_WORKER_STORE_H
#define SDW_WORKER_STORE_H

#include "worker/job_record.h"
#include "worker/state_dir.h"

typedef struct sdw_store sdw_store;

typedef struct sdw_store_options {
    sdw_state_dir *dir;      /* borrowed, outlives the store; NULL = in memory */
    int results_max;         /* finished jobs; 0 = 64, in a folder 10000 */
    uint64_t bytes_max;      /* of their outputs; 0 = 256 MiB, in a folder 10 GiB */
    double ttl_s;            /* after the end; 0 = 600, in a folder 7 days */
} sdw_store_options;

sdw_status sdw_store_open(const sdw_store_options *o, sdw_store **ret, sdw_error *err);
void sdw_store_close(sdw_store *s); /* accepts NULL; files stay */

/* ---- inputs ---- */

/* Keeps the pixels under the SHA-256 of what is stored; one file for equal pictures, held once more by each put. In
 * memory: ret_name "" and nothing kept. Writes, with sync. IO: disk full or broken. */
sdw_status sdw_store_picture_put(sdw_store *s, const sdw_picture *p, char ret_name[SDW_SHA256_HEX_SIZE], sdw_error *err);
/* Pixels by sdw_malloc. NOT_FOUND; FORMAT: the file is damaged. */
sdw_status sdw_store_picture_get(sdw_store *s, const char *name, sdw_picture *ret, sdw_error *err);
/* One more holder of a picture that is there already (a job found in the journal). NOT_FOUND. */
sdw_status sdw_store_picture_hold(sdw_store *s, const char *name, sdw_error *err);
/* One holder less; the last one removes the file. "" is accepted. */
void sdw_store_picture_release(sdw_store *s, const char *name);

/* ---- outputs ---- */

/* Stores an encoded picture under a new name that cannot be guessed; b is held as long as needed. It is found by its id
 * only after sdw_store_add. Writes, with sync. */
sdw_status sdw_store_output_put(sdw_store *s, sdw_blob *b, sdw_output_id *ret_id, char ret_sha256[SDW_SHA256_HEX_SIZE], sdw_error *err);
/* Takes it back, for a job that did not finish after all. */
void sdw_store_output_drop(sdw_store *s, const sdw_output_id *id);

/* Counts a job as finished, with its outputs (those deleted are passed over); for one found in the journal too: its missing
 * files are then reported by get. EXISTS: counted already. NO_MEMORY. */
sdw_status sdw_store_add(sdw_store *s, const sdw_job_id *job, double finished_at, const sdw_stored_output *outputs, int count, sdw_error *err);

typedef struct sdw_output_place {
    sdw_job_id job;
    int index;                          /* in the job's outputs */
    char sha256[SDW_SHA256_HEX_SIZE];   /* of the bytes; serves as ETag */
    size_t bytes;
} sdw_output_place;
/* ret_blob NULL: only the place is wanted. NOT_FOUND: unknown, deleted or expired; IO. May read from disk. */
sdw_status sdw_store_output_get(sdw_store *s, const sdw_output_id *id, sdw_output_place *ret, sdw_blob **ret_blob, sdw_error *err);
/* NOT_FOUND. Writes. */
sdw_status sdw_store_output_delete(sdw_store *s, const sdw_output_id *id, sdw_output_place *ret, sdw_error *err);

/* Takes the oldest finished job out if one of the bounds is passed; its outputs are gone then. To be called until it
 * returns false, after each add and now and then; the newest job stays even if it alone is over the bytes. Writes. */
bool sdw_store_expire(sdw_store *s, double now, sdw_job_id *ret_job);
/* The same for one job, whatever its age; nothing if it is not counted. Writes. */
void sdw_store_forget(sdw_store *s, const sdw_job_id *job);
/* Seconds until expire has something to do; 0: now; -1: never, as things are. */
double sdw_store_next_expiry(sdw_store *s, double now);
/* Removes files that no job holds; once, after the journal has been read. Returns how many. */
size_t sdw_store_sweep(sdw_store *s);

typedef struct sdw_store_stats { size_t jobs, outputs, inputs; uint64_t output_bytes; } sdw_store_stats;
void sdw_store_stats_of(sdw_store *s, sdw_store_stats *ret);

#endif
