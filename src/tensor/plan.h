/* plan.h - from a recorded graph to something that runs: lifetimes, offsets in one pool, workspace. Host arithmetic
 * only until sdw_plan_run: the memory of a job is known before it is accepted. */
#ifndef SDW_TENSOR_PLAN_H
#define SDW_TENSOR_PLAN_H

#include "tensor/backend.h"
#include "tensor/graph.h"

typedef struct sdw_plan {
    sdw_graph *graph;        /* owned */
    size_t activation_bytes; /* pool part that holds activations */
    size_t workspace_bytes;  /* behind it */
    size_t pool_bytes;       /* both */
    double flop;
    void **bound;            /* pointers given by sdw_plan_bind; graph->bound_count of them */
    double *op_seconds;      /* of the last timed run; NULL unless asked for */
} sdw_plan;

/* Takes ownership of g, also on failure. Asks the backend about every op, then lays out the pool. */
sdw_status sdw_plan_create(sdw_graph *g, sdw_backend *b, sdw_plan **ret, sdw_error *err);
void sdw_plan_free(sdw_plan *p); /* accepts NULL */
/* The memory of bound tensor `bound`; must stay valid through the runs. */
void sdw_plan_bind(sdw_plan *p, int bound, void *data);
/* Resolves pointers into `pool` (at least pool_bytes, 64-byte aligned) and runs. Every bound tensor must be bound. */
sdw_status sdw_plan_run(sdw_plan *p, sdw_backend *b, void *pool, const atomic_bool *cancel, sdw_error *err);
/* The ops [first, first + count) of a run that is made in several calls: pool and bound memory stay the same between them. */
sdw_status sdw_plan_run_ops(sdw_plan *p, sdw_backend *b, void *pool, int first, int count, const atomic_bool *cancel, sdw_error *err);
/* Wall seconds per op from the next run on, in p->op_seconds. */
sdw_status sdw_plan_time_ops(sdw_plan *p, sdw_error *err);

#endif
