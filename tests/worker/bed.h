/* bed.h - a worker under test: waiting for what it does without sleeping, and short ways to ask it things. Functions
 * fail the running test when a call fails or nothing happens for 30 s. */
#ifndef TESTS_WORKER_BED_H
#define TESTS_WORKER_BED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fake/fake.h"
#include "sdw/worker.h"

typedef struct bed {
    sdw_worker *w;
    struct bed_wakes *wakes;
} bed;

/* o may be NULL: the fake executor with model "fake". Fields left 0 there are filled in so. */
void bed_open(bed *b, const sdw_worker_options *o);
void bed_close(bed *b);

/* Waits until the worker has woken somebody and `until` is true. */
typedef bool bed_condition(bed *b, void *ctx);
void bed_wait(bed *b, bed_condition *until, void *ctx);

void bed_wait_phase(bed *b, sdw_worker_phase phase);
void bed_wait_status(bed *b, const sdw_job_id *id, sdw_job_status status);
sdw_job_status bed_wait_end(bed *b, const sdw_job_id *id);
sdw_job_status bed_status(bed *b, const sdw_job_id *id);

/* 64 x 64, 4 steps, guidance 1, no previews. */
sdw_job_request bed_request(const char *prompt);
sdw_job_id bed_submit(bed *b, const sdw_job_request *r);
sdw_status bed_refused(bed *b, const sdw_job_request *r, const char *field, const char *words);

/* The next event after `after`; waits for it. Finish it. */
sdw_event bed_event(bed *b, const sdw_job_id *id, uint64_t after);
/* One letter per event of an ended job: p progress, v preview, n narration, C complete, E error, D done, F failed,
 * X cancelled. Narration left out unless asked for. */
void bed_story(bed *b, const sdw_job_id *id, bool narration, char *ret, size_t size);
sdw_job_view bed_view(bed *b, const sdw_job_id *id);
/* Pixels of picture `index` of a completed job: sdw_free. */
uint8_t *bed_pixels(bed *b, const sdw_job_id *id, int index, size_t *ret_size);

#endif
