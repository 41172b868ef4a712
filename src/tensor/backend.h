/* backend.h - what a compute device offers: packing of weights, memory, and running a plan.
 * A backend instance belongs to the engine thread; only `run` uses other threads, inside. */
#ifndef SDW_TENSOR_BACKEND_H
#define SDW_TENSOR_BACKEND_H

#include <stdatomic.h>
#include <stddef.h>

#include "core/status.h"
#include "tensor/graph.h"
#include "tensor/weight.h"

typedef struct sdw_backend sdw_backend;

typedef struct sdw_backend_options {
    int threads;        /* 0 = as many as the process may use */
    const char *isa;    /* cap such as "scalar", "avx2", "avx512"; NULL = $SDW_CPU_MAX, else the best there is */
    const char *precision; /* of products: "f32", "f16", "bf16", "int8", "auto"; NULL = $SDW_PRECISION, else "f32" */
    bool plain_sums;    /* convolutions from their definition, never by transforms: slower, rounds a quarter as much */
} sdw_backend_options;

/* Called by one thread after each packed weight: its source bytes are not needed in memory any more. */
typedef void sdw_packed_fn(void *ctx, sdw_weight *w);

typedef struct sdw_backend_api {
    const char *name;
    sdw_status (*open)(const sdw_backend_options *o, sdw_backend **ret, sdw_error *err);
    void (*close)(sdw_backend *b); /* accepts NULL */
    /* One line for a person: "CPU, AVX-512, 2 threads". Valid until close. */
    const char *(*describe)(sdw_backend *b);
    /* Arithmetic of the heavy products, "f32" or narrower. Static storage. */
    const char *(*precision)(sdw_backend *b);
    /* Fills packed and packed_bytes of every weight that has none, in parallel; deterministic. On failure what was packed stays
     * packed (unpack frees it). */
    sdw_status (*pack)(sdw_backend *b, sdw_weight **weights, size_t count, sdw_packed_fn *done, void *ctx, sdw_error *err);
    void (*unpack)(sdw_backend *b, sdw_weight *w);
    /* Bytes that `pack` will allocate for w; host arithmetic. */
    size_t (*packed_bytes)(sdw_backend *b, const sdw_weight *w);
    /* Once per graph, before its first op is prepared: gives tensors a form of the backend's own (packed_bytes), where all who write
     * and read them run here and know it, and makes their blocks fit. Never more memory than before. NULL: all tensors stay f32. As
     * for prepare, the choice depends on shapes, roles and weights alone. */
    void (*arrange)(sdw_backend *b, sdw_graph *g);
    /* Can this op run here, and with how much workspace? Fills op->workspace and op->choice (memory from the arena).
     * The choice depends on shapes alone: never on load, lanes' contents or thread count. */
    sdw_status (*prepare)(sdw_backend *b, sdw_op *op, sdw_arena *arena, sdw_error *err);
    sdw_status (*alloc)(sdw_backend *b, size_t bytes, void **ret, sdw_error *err); /* 64-byte aligned or better */
    void (*free)(sdw_backend *b, void *p);
    /* Runs ops[0..count) in order; tensor data pointers are resolved. Stops between ops when *cancel (may be NULL)
     * becomes true: SDW_CANCELLED. seconds (may be NULL): wall time of each op. */
    sdw_status (*run)(sdw_backend *b, sdw_op *const *ops, int count, void *workspace, const atomic_bool *cancel,
                      double *seconds, sdw_error *err);
    /* Threads that a run uses. */
    int (*threads)(sdw_backend *b);
    /* Multiply-add peak in GFLOP/s of all threads, each having a processor to itself (takes some 0.2 s); 0 if unknown. */
    double (*measure_peak)(sdw_backend *b);
} sdw_backend_api;

struct sdw_backend {
    const sdw_backend_api *api;
};

extern const sdw_backend_api sdw_backend_cpu;

#endif
