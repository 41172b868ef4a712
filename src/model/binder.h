/* binder.h - the weight walk: one visit of every weight of a part, in diffusers names, that makes its sdw_weight.
 *
 * A part's walk (sdw_clip_walk, sdw_unet_walk, sdw_vae_walk) calls one of the functions below per weight. With a
 * checkpoint the weight is bound to its bytes and marked used; without one the walk only lists names and shapes, which
 * is what the random model, size estimates and coverage tests use. Failures are collected: the first missing names are
 * reported together at the end. */
#ifndef SDW_MODEL_BINDER_H
#define SDW_MODEL_BINDER_H

#include "core/arena.h"
#include "io/checkpoint.h"
#include "tensor/weight.h"

#define SDW_BINDER_MISSING_MAX 4

/* Called for every tensor a file must hold: its name and published shape. */
typedef void sdw_binder_item_fn(void *ctx, const char *name, int rank, const int64_t *shape);

typedef struct sdw_binder {
    sdw_arena *arena;          /* of the model: weights and names live there */
    const char *part;          /* "unet", for messages */
    sdw_checkpoint *weights;   /* NULL = list only */
    sdw_binder_item_fn *item;  /* may be NULL */
    void *item_ctx;
    int narrowest;             /* given to every weight made from now on, see sdw_weight; a walk sets it */
    bool skip;                 /* likewise */
    char prefix[160];          /* put before every name, see sdw_binder_enter */
    sdw_weight **list;         /* every weight made; arena */
    int count, capacity;
    int64_t parameters;        /* values in all */
    int tensors;               /* pieces in all: tensors of the file */
    char missing[SDW_BINDER_MISSING_MAX][192];
    int missing_count;
    sdw_error error;           /* first failure that is not a missing tensor */
} sdw_binder;

/* Sets the prefix (printf form), such as "down_blocks.0.resnets.1.". */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sdw_binder_enter(sdw_binder *b, const char *format, ...);

/* A matrix (out, in); the file may hold it as (out, in, 1, 1) too. `conv` says which of the two is published. */
sdw_weight *sdw_bind_matrix(sdw_binder *b, const char *name, int64_t out, int64_t in, bool conv);
/* Several matrices of `out` rows each that are always applied to the same input: one weight of count * out rows. */
sdw_weight *sdw_bind_fused(sdw_binder *b, const char *const *names, int count, int64_t out, int64_t in, bool conv);
sdw_weight *sdw_bind_fused_vector(sdw_binder *b, const char *const *names, int count, int64_t n);
sdw_weight *sdw_bind_glu(sdw_binder *b, const char *name, int64_t out, int64_t in);
sdw_weight *sdw_bind_conv(sdw_binder *b, const char *name, int64_t out, int64_t in, int k);
sdw_weight *sdw_bind_vector(sdw_binder *b, const char *name, int64_t n);
sdw_weight *sdw_bind_table(sdw_binder *b, const char *name, int64_t rows, int64_t width);

/* SDW_OK, or the first failure; missing tensors are one error that names the first of them. */
sdw_status sdw_binder_finish(const sdw_binder *b, sdw_error *err);

#endif
