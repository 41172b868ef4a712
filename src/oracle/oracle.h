/* oracle.h - replaying reference vectors: what a reference implementation computed, computed again by the code that
 * `generate` uses, and compared. Dimensions, sizes, prompts, pictures and weights come from the files; seeds, steps,
 * guidance and strengths are fixed here, as the description of the vectors fixes them. */
#ifndef SDW_ORACLE_ORACLE_H
#define SDW_ORACLE_ORACLE_H

#include <stdbool.h>

#include "core/status.h"
#include "sdw/sdw.h"

typedef enum sdw_oracle_outcome { SDW_ORACLE_PASSED, SDW_ORACLE_FAILED, SDW_ORACLE_SKIPPED } sdw_oracle_outcome;

/* One vector. Texts are valid during the call. */
typedef struct sdw_oracle_line {
    sdw_oracle_outcome outcome;
    const char *folder, *name;
    bool measured;            /* rel_l2 and max_diff hold something */
    double rel_l2, max_diff;
    const char *reason;       /* of a failure or a skip; "" = the numbers say it */
} sdw_oracle_line;

typedef void sdw_oracle_line_fn(void *ctx, const sdw_oracle_line *line);

typedef struct sdw_oracle_options {
    const char *isa;          /* as in sdw_engine_options */
    const char *precision;    /* likewise; narrow ones are held to wider tolerances */
    int threads;
    const char *only;         /* replay only vectors whose name contains this; NULL = all */
    sdw_oracle_line_fn *line; /* may be NULL */
    sdw_warn_fn *warn;        /* may be NULL */
    void *ctx;                /* of both */
} sdw_oracle_options;

typedef struct sdw_oracle_totals {
    int passed, failed, skipped;
} sdw_oracle_totals;

/* dir: one model folder with golden.safetensors, or a root of such folders (then also rng.safetensors and
 * clip_tokens.json). Adds to *totals. Errors are those of finding anything at all: a vector that cannot be replayed is
 * a failed line. One thread. */
sdw_status sdw_oracle_replay(const char *dir, const sdw_oracle_options *o, sdw_oracle_totals *totals, sdw_error *err);

#endif
