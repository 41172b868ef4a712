/* weight.h - one weight of a model as the graph sees it: shape, where its bytes lie, and the backend's packed form. */
#ifndef SDW_TENSOR_WEIGHT_H
#define SDW_TENSOR_WEIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/dtype.h"

typedef enum sdw_role {
    SDW_ROLE_MATRIX, /* linear (out, in) */
    SDW_ROLE_GLU,    /* linear pair (2*F, in): value rows, then gate rows */
    SDW_ROLE_CONV,   /* (out, in, k, k) */
    SDW_ROLE_VECTOR, /* bias, gamma, beta: (out); packed as plain f32 */
    SDW_ROLE_TABLE   /* embedding rows (out, in): rows are looked up, never multiplied */
} sdw_role;

#define SDW_WEIGHT_SOURCES_MAX 3

/* A piece of consecutive rows; fused matrices (q|k|v) have several. Bytes stay mapped until packing is done. */
typedef struct sdw_weight_source {
    const void *data; /* row-major; no alignment promised */
    sdw_dtype dtype;
    bool transposed;  /* stored as (in, out) */
    int64_t rows;     /* of `out` */
} sdw_weight_source;

typedef struct sdw_weight {
    const char *name;  /* for messages; arena of the model */
    sdw_role role;
    int64_t out, in;   /* in = 1 for vectors */
    int k;             /* kernel side; 1 for everything but convolutions */
    int source_count;
    sdw_weight_source source[SDW_WEIGHT_SOURCES_MAX];
    int narrowest;     /* bits of the narrowest arithmetic that the layer bears, as its model says: 16 or 8; 0 = f32 only */
    bool skip;         /* lies on the residual path around blocks: what it rounds, everything behind it sees */
    void *packed;      /* backend's private form; NULL until packed */
    size_t packed_bytes;
} sdw_weight;

#endif
