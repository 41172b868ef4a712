/* batch.h - one model evaluation for pictures of several jobs. A picture's bytes do not depend on who shares it: every row
 * of the UNet is computed by itself, in an order fixed by its own shape. Engine thread. */
#ifndef SDW_ENGINE_BATCH_H
#define SDW_ENGINE_BATCH_H

#include "engine/job.h"

enum { SDW_BATCH_TURNS_MAX = 64 };

typedef struct sdw_batch_turn {
    sdw_job *job;
    int lane;
    sdw_status status;       /* out: of this lane alone, with error; its job can only be freed if it is not OK */
    sdw_error error;
} sdw_batch_turn;

/* All jobs are of e, in SDW_PHASE_STEP, with equal keys (sdw_job_key). The result is that of the evaluation: if it is not
 * OK nothing happened to any job, and the same may be tried again. */
sdw_status sdw_batch_step(sdw_engine *e, sdw_batch_turn *turns, int count, sdw_error *err);
/* Bytes that an evaluation of `rows` rows of this key takes beside what its jobs hold. Any thread. */
sdw_status sdw_batch_bytes(sdw_engine *e, const sdw_job_key *key, int rows, uint64_t *ret, sdw_error *err);

/* The engine's, made at the first step. */
typedef struct sdw_batch sdw_batch;
void sdw_batch_free(sdw_engine *e, sdw_batch *b); /* accepts NULL */

#endif
