/* fake.h - an executor without weights: pictures are made from the seed alone, and words in the prompt say what goes
 * wrong and how long things take. For tests and for the program sdw-fake.
 *
 * Words of a prompt, anywhere in it, with a whole number:
 *   step-ms=N text-ms=N decode-ms=N   how long a model evaluation, the prompt encoding, a slice of the decoding takes
 *   slices=N                          slices of the decoding (1)
 *   hold-at=N                         evaluation N of the job waits until fake_release, or until it is cancelled; once for each
 *                                     of its pictures
 *   deaf-at=N deaf-ms=M               evaluation N takes M milliseconds in which it hears of no cancel
 *   stall-at=N                        the same, but fake_release does not help
 *   nan-at=N oom-at=N fail-at=N       evaluation N fails with NUMERIC, NO_MEMORY, INTERNAL
 *   rows-max=N                        evaluations of more rows do not fit
 *   bytes=N                           what the job is said to cost
 *   warn                              the prompt encoding warns
 * Words of a model's path: fail-open, fail-load, load-ms=N, hold-load (until fake_release). An executor with a counter of
 * failures: fake_fail_evaluation(n) makes the nth evaluation from now fail, whoever it belongs to. */
#ifndef TESTS_FAKE_FAKE_H
#define TESTS_FAKE_FAKE_H

#include "worker/executor.h"

extern const sdw_executor fake_executor;

/* Lets everything that is held go on; what reaches a hold later waits again. */
void fake_release(void);
/* Waits until somebody is held; false after 60 s. */
bool fake_wait_held(void);
/* Waits until an evaluation is deaf; false after 60 s. */
bool fake_wait_deaf(void);
void fake_fail_evaluation(int nth); /* 0: none */

typedef struct fake_counts {
    int evaluations;       /* calls of step */
    int widest;            /* most pictures in one of them */
    int jobs, models;      /* alive now */
    int loads, unloads;
} fake_counts;
void fake_reset_counts(void); /* evaluations, widest, loads and unloads become 0 */
fake_counts fake_counted(void);

/* The value of pixel byte `i` of a picture of this seed. */
uint8_t fake_byte(uint64_t seed, size_t i);

#endif
