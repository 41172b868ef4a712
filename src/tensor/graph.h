/* graph.h - recording what a model part computes, as a list of ops over tensors.
 *
 * Layout. A tensor is lanes x height x width x channels (N H W C) of f32; a "row" is one pixel or token, its channels lie
 * side by side, rows are row_stride elements apart. Tokens are h = count, w = 1. A lane is one entry of the batch.
 * Views (columns, reshape) are tensors over the same block and cost nothing. Integer inputs (token ids, indices) are
 * int32 words in the same 4-byte cells.
 *
 * Recording never fails at the call: the first error sticks to the graph and is read once by sdw_graph_check. After an
 * error every recording call returns a harmless tensor. All memory is the graph's arena. One owner. */
#ifndef SDW_TENSOR_GRAPH_H
#define SDW_TENSOR_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "tensor/weight.h"

typedef struct sdw_block { /* a run of memory with one lifetime */
    size_t cells;          /* 4-byte cells */
    int first_op, last_op; /* lifetime, both inclusive; first_op = -1: before the first op (inputs) */
    int bound;             /* index of a bound pointer, or -1: part of the pool */
    size_t pool_offset;    /* bytes; set by the planner */
} sdw_block;

typedef struct sdw_tensor {
    int32_t n, h, w, c;    /* lanes, height, width, channels */
    int64_t row_stride;    /* cells between rows; >= c */
    int32_t block;         /* index into the graph's blocks */
    size_t offset;         /* cells from the start of the block to element 0 */
    const struct sdw_tensor *sums; /* for a group norm of this tensor, if its writers leave them: sdw_graph_sums; else NULL */
    int32_t writer;        /* index of the convolution that writes all of it, or -1 */
    size_t packed_bytes;   /* not 0: its rows lie in a form of the backend's own, of so many bytes in all; see arrange in backend.h */
    float *data;           /* set by the plan when pointers are known; int32_t * for integer inputs */
} sdw_tensor;

typedef enum sdw_act { SDW_ACT_NONE, SDW_ACT_SILU, SDW_ACT_GELU, SDW_ACT_GELU_TANH, SDW_ACT_QUICK_GELU } sdw_act;

/* X(name): one row per op; each backend has a table indexed by it. */
#define SDW_OP_LIST(X) \
    X(conv2d)          \
    X(linear)          \
    X(glu)             \
    X(attention)       \
    X(group_norm)      \
    X(layer_norm)      \
    X(embed)           \
    X(time_embed)      \
    X(gather_rows)     \
    X(act)             \
    X(add)             \
    X(copy)

typedef enum sdw_op_kind {
#define SDW_OP_ENUM(name) SDW_OP_##name,
    SDW_OP_LIST(SDW_OP_ENUM)
#undef SDW_OP_ENUM
    SDW_OP_COUNT
} sdw_op_kind;

/* What happens to an input value before it is multiplied: v -> act(v * scale + shift), scale and shift per lane and
 * channel as sdw_group_norm leaves them in an (n,1,1,2*c) tensor: first all scales, then all shifts. Padding of a
 * convolution is zero AFTER this. coeffs NULL: no change. */
typedef struct sdw_pre {
    const sdw_tensor *coeffs;
    sdw_act act; /* NONE or SILU */
} sdw_pre;

typedef struct sdw_conv2d_args {
    const sdw_weight *weight;   /* (co, ci, k, k), k = 1 or 3 */
    const sdw_weight *bias;     /* (co) or NULL */
    int stride;                 /* 1 or 2 */
    int pad_top, pad_left, pad_bottom, pad_right; /* below 0: so much of the (widened) input is cut off */
    int up_h, up_w;             /* not 0: the input is first widened to this size, nearest: source = i * h / up_h */
    const sdw_tensor *lane_add; /* (n,1,1,co) added to every pixel of the lane, or NULL */
    const sdw_tensor *residual; /* shape of out, added last; may be the very memory of out; or NULL */
    const sdw_tensor *sums;     /* written beside out: sdw_graph_sums of its shape; or NULL */
    sdw_pre pre;
} sdw_conv2d_args;

typedef struct sdw_linear_args {
    const sdw_weight *weight;   /* (co, ci) */
    const sdw_weight *bias;     /* (co) or NULL */
    sdw_act act;                /* applied after the bias, before the residual */
    const sdw_tensor *residual; /* as for conv2d */
    sdw_pre pre;
} sdw_linear_args;

typedef struct sdw_glu_args {   /* out = value * act(gate); weight rows 0..c-1 are the value, c..2c-1 the gate */
    const sdw_weight *weight;   /* (2*c, ci) */
    const sdw_weight *bias;     /* (2*c) or NULL */
    sdw_act act;
} sdw_glu_args;

typedef struct sdw_attention_args { /* out = softmax(q k^T * scale) v per lane and head */
    const sdw_tensor *k, *v;    /* (n, tk, 1, heads*d); q is the op's input (n, tq, 1, heads*d) */
    const sdw_tensor *kv_len;   /* int32 (n,1,1,1): keys that count, 1..tk; NULL = all */
    int heads;
    float scale;
    bool causal;                /* key j counts for query i only if j <= i */
} sdw_attention_args;

typedef struct sdw_norm_args {
    const sdw_weight *gamma, *beta; /* (c); both or neither */
    int groups;                     /* group_norm only */
    float eps;
} sdw_norm_args;

typedef struct sdw_embed_args {  /* out[lane][t] = table[ids[lane][t]] + positions[t] */
    const sdw_weight *table;     /* (vocabulary, c) */
    const sdw_weight *positions; /* (>= t, c) or NULL */
} sdw_embed_args;

typedef struct sdw_op {
    sdw_op_kind kind;
    const char *name;        /* for dumps and benches, such as "down.0.res.1.conv2"; arena */
    const sdw_tensor *in;    /* main input */
    const sdw_tensor *in2;   /* add: second term; gather_rows: int32 index (n,1,1,1); group_norm: sums of in, or NULL */
    sdw_tensor *out;
    union {
        sdw_conv2d_args conv2d;
        sdw_linear_args linear;
        sdw_glu_args glu;
        sdw_attention_args attention;
        sdw_norm_args norm;
        sdw_embed_args embed;
        struct { int dim; } time_embed; /* each input value becomes `dim` outputs: cos half, then sin half */
        struct { sdw_act kind; } act;
    } args;
    double flop;             /* multiply-adds count two */
    size_t workspace;        /* bytes the backend asked for while planning */
    void *choice;            /* backend's own: algorithm resolved while planning; arena or NULL */
} sdw_op;

typedef struct sdw_graph {
    sdw_arena arena;
    sdw_op **ops;
    int op_count, op_capacity;
    sdw_block *blocks;
    int block_count, block_capacity;
    int bound_count;
    char prefix[96];         /* of op names, see sdw_graph_name */
    sdw_error error;         /* first one */
    sdw_tensor nothing;      /* what recording calls return after an error */
} sdw_graph;

sdw_graph *sdw_graph_create(sdw_error *err); /* NULL without memory */
void sdw_graph_free(sdw_graph *g);           /* accepts NULL */
sdw_status sdw_graph_check(const sdw_graph *g, sdw_error *err);
/* Sets the prefix of the names of the ops recorded from now on (printf form). */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sdw_graph_name(sdw_graph *g, const char *format, ...);

/* A tensor whose memory the caller binds before a run; `*ret_bound` is the index for sdw_plan_bind. Dense rows. */
sdw_tensor *sdw_graph_bound(sdw_graph *g, int n, int h, int w, int c, int *ret_bound);
/* A tensor of the pool that several ops write parts of. */
sdw_tensor *sdw_graph_tensor(sdw_graph *g, int n, int h, int w, int c);
/* Where the writers of an (n,h,w,c) tensor leave what a group norm needs of it: (n, ceil(h/4), ceil(w/64), 4*c). Cell (i, j) of
 * a lane holds c sums of values and then c sums of squares, in double, over picture rows 4*i..4*i+3 and part j of the
 * columns: the ceil(w/4) fours of columns cut into nearly equal parts (part j begins at four number fours * j / parts). */
enum { SDW_SUMS_ROWS = 4, SDW_SUMS_COLUMNS = 64 };
sdw_tensor *sdw_graph_sums(sdw_graph *g, int n, int h, int w, int c);
/* Picture rows [first, first + count) of t, which has one lane. */
sdw_tensor *sdw_rows(sdw_graph *g, const sdw_tensor *t, int first, int count);
/* Channels [first, first + count) of t. */
sdw_tensor *sdw_columns(sdw_graph *g, const sdw_tensor *t, int first, int count);
/* The same rows as lanes x h x w (h * w must fit). */
sdw_tensor *sdw_reshape(sdw_graph *g, const sdw_tensor *t, int h, int w);

/* Ops. `out` NULL makes a new tensor; otherwise it is written (views allowed, shapes must fit). */
sdw_tensor *sdw_conv2d(sdw_graph *g, const sdw_tensor *x, const sdw_conv2d_args *a, sdw_tensor *out);
sdw_tensor *sdw_linear(sdw_graph *g, const sdw_tensor *x, const sdw_linear_args *a, sdw_tensor *out);
sdw_tensor *sdw_glu(sdw_graph *g, const sdw_tensor *x, const sdw_glu_args *a, sdw_tensor *out);
sdw_tensor *sdw_attention(sdw_graph *g, const sdw_tensor *q, const sdw_attention_args *a, sdw_tensor *out);
/* Coefficients of x's group norm: (n,1,1,2*c), scale = gamma*rstd, shift = beta - mean*gamma*rstd; for sdw_pre.
 * Biased variance over h*w*(c/groups) values of one lane: Wu and He 2018. Where x is just as a convolution wrote it, that
 * convolution is made to leave the sums, and x is not read again. */
sdw_tensor *sdw_group_norm(sdw_graph *g, const sdw_tensor *x, const sdw_norm_args *a);
sdw_tensor *sdw_layer_norm(sdw_graph *g, const sdw_tensor *x, const sdw_norm_args *a, sdw_tensor *out);
sdw_tensor *sdw_embed(sdw_graph *g, const sdw_tensor *ids, const sdw_embed_args *a, sdw_tensor *out);
/* values (n,1,1,k) -> (n,1,1,k*dim): cos(v*f_i) for i < dim/2, then sin; f_i = exp(-ln(10000) i / (dim/2)), in f32. */
sdw_tensor *sdw_time_embed(sdw_graph *g, const sdw_tensor *values, int dim, sdw_tensor *out);
/* Row index[lane] of each lane: (n,1,1,c). */
sdw_tensor *sdw_gather_rows(sdw_graph *g, const sdw_tensor *x, const sdw_tensor *index, sdw_tensor *out);
sdw_tensor *sdw_activate(sdw_graph *g, const sdw_tensor *x, sdw_act act, sdw_tensor *out);
sdw_tensor *sdw_add(sdw_graph *g, const sdw_tensor *a, const sdw_tensor *b, sdw_tensor *out);
sdw_tensor *sdw_copy(sdw_graph *g, const sdw_tensor *x, sdw_tensor *out);

static inline int64_t sdw_tensor_rows(const sdw_tensor *t)
{
    return (int64_t)t->n * t->h * t->w;
}

const char *sdw_op_kind_name(sdw_op_kind kind);
/* The tensors that an op reads or writes, its output first; returns how many. */
enum { SDW_OP_TENSORS_MAX = 7 };
int sdw_op_tensors(const sdw_op *op, const sdw_tensor *ret[SDW_OP_TENSORS_MAX]);
/* Bytes that an op reads from tensors and packed weights and writes to tensors, each once, as if nothing were in a cache. What it
 * adds to in place counts on both sides. */
void sdw_op_bytes(const sdw_op *op, double *ret_read, double *ret_written);

#endif
