/* bench.h - how fast a model runs here, against what the machine could do: the stages of one picture, timed one by one
 * through the calls that generate makes. */
#ifndef SDW_ORACLE_BENCH_H
#define SDW_ORACLE_BENCH_H

#include "sdw/sdw.h"

enum { SDW_BENCH_STAGES = 3 };

typedef struct sdw_bench_options {
    int width, height;  /* 0 = the model's */
    int steps;          /* timed runs of the step; the median counts. 0 = 3. Text and decode are timed once each, warm */
    bool ops;           /* also time single ops */
} sdw_bench_options;

typedef struct sdw_bench_op {
    char name[96], kind[24];
    double seconds, gflop;
    double read, written; /* bytes, each operand once */
} sdw_bench_op;

typedef struct sdw_bench_stage {
    const char *name;   /* "text", "step", "vae_decode" */
    double seconds, gflop;
    double cpu_seconds; /* processor time over the number of threads: on a machine with other work to do, what `seconds` would be */
    double ratio;       /* seconds / (gflop / peak) */
    double cpu_ratio;   /* the same of cpu_seconds */
    sdw_bench_op *op;   /* in order; owned. NULL unless asked for */
    int op_count;
} sdw_bench_stage;

typedef struct sdw_bench_result {
    int width, height, rows; /* rows: guidance passes that a step computes */
    int threads;
    double peak_gflops; /* f32 multiply-adds, the best of several measurements among the stages */
    double seconds_load; /* first use of every part: packing weights */
    sdw_bench_stage stage[SDW_BENCH_STAGES];
} sdw_bench_result;

void sdw_bench_result_free(sdw_bench_result *r); /* what it holds */

/* The model's numbers are computed from made-up inputs: speed does not depend on them. */
sdw_status sdw_bench_run(sdw_engine *e, const sdw_bench_options *o, sdw_bench_result *ret, sdw_error *err);

#endif
