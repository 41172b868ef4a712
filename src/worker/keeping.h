/* keeping.h - what a job leaves behind: results in the store, with a state folder also its place in the journal, and the
 * Idempotency-Key that stands for it. Between tickets on one side, journal.h, store.h and idempotency.h on the other.
 *
 * Ends are told in two steps: sdw_worker_end (mutex held, no disk) puts the ticket on a list, sdw_keeping_settle (no lock)
 * writes what is on it. The engine thread never settles: the desk does, and whoever answers a client. */
#ifndef SDW_WORKER_KEEPING_H
#define SDW_WORKER_KEEPING_H

#include "worker/worker_impl.h"

/* Takes the state folder, if there is one, and reads the journal. */
sdw_status sdw_keeping_open(sdw_worker *w, const sdw_worker_options *o, sdw_error *err);
/* Makes tickets of what the journal knows: unfinished jobs are queued again in their old order, or fail if they cannot
 * run; finished ones are there to be looked at. Before the threads start, after the first model was named. */
sdw_status sdw_keeping_restore(sdw_worker *w, sdw_error *err);
/* After the threads have ended. Accepts what open left half done. */
void sdw_keeping_close(sdw_worker *w);

/* Whether r's Idempotency-Key was used before: OK and *ret_job "": go on, and end with one of the two calls below.
 * OK and an id: that job again. Else as sdw_idempotency_begin. Without a key: go on. */
sdw_status sdw_keeping_ask_key(sdw_worker *w, const sdw_job_request *r, uint8_t ret_key[32], sdw_job_id *ret_job, sdw_error *err);
void sdw_keeping_use_key(sdw_worker *w, const sdw_job_request *r, const uint8_t key[32], const sdw_job_id *job);
void sdw_keeping_drop_key(sdw_worker *w, const sdw_job_request *r, const uint8_t key[32]);

/* Input pictures and the request on disk, before the client hears of it. IO. Only with a state folder it does anything. */
sdw_status sdw_keeping_accept(sdw_worker *w, sdw_ticket *t, const sdw_job_request *r, const uint8_t key[32], sdw_error *err);
/* The job was accepted but got no place after all. */
void sdw_keeping_withdraw(sdw_worker *w, sdw_ticket *t);
/* What tells this model from another of its id; "" without a state folder. Engine thread, while a model is opened. */
void sdw_keeping_fingerprint(sdw_worker *w, const sdw_engine_options *o, char ret[SDW_DIGEST_HEX_SIZE]);
/* Engine thread; waits for nothing. */
void sdw_keeping_started(sdw_worker *w, const sdw_ticket *t);

/* Encoded pictures of a job that is about to complete: stored, told to the journal, to be found by their ids. IO: no room for
 * them, and none is stored. */
sdw_status sdw_keeping_complete(sdw_worker *w, sdw_ticket *t, sdw_stored_output *outputs, sdw_blob **blobs, int count, sdw_error *err);

/* Writes the ends and keeps that were told since, and forgets what is over the bounds. What finds no memory stays on the
 * list. Waits for no sync. No lock held; not the engine thread. */
void sdw_keeping_settle(sdw_worker *w);
/* Brings what was settled to the disk. The desk thread, and who ends the process. */
void sdw_keeping_sync(sdw_worker *w);
/* Desk thread: rewrites the journal when that is due. */
void sdw_keeping_tidy(sdw_worker *w);
/* Seconds until settle has something to do; -1: nothing. The mutex is held. */
double sdw_keeping_next(sdw_worker *w);

#endif
