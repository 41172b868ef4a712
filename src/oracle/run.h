/* run.h - one pipeline run of the reference, described and replayed. */
#ifndef SDW_ORACLE_RUN_H
#define SDW_ORACLE_RUN_H

#include "oracle/replay.h"

typedef struct sdw_replay_run {
    const char *base;        /* "txt2img", "sampler_euler" */
    int index;               /* of the vector's name, prompt pair and size */
    int steps, count;        /* count 0 = 1 */
    double guidance, strength; /* strength 0 = no picture */
    uint64_t seed;
    const char *noise;       /* name of the vector to start from; NULL = from the seed */
    bool no_negative;        /* the negative prompt is absent, not empty */
    const char *sampler, *schedule, *spacing; /* NULL = the folder's */
    bool own_spacing;        /* spacing is the sampler's own, whatever the folder says */
    bool has_eta;
    double eta;
    bool uses_mask;
} sdw_replay_run;

/* Runs it if the file holds something to compare with; tells a line per vector of it. */
void sdw_replay_pipeline(sdw_replay *r, const sdw_replay_run *run);

#endif
