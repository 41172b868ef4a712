/* attention.h - what the two ways to attend share: ops/attention.c cuts the work and computes in f32, ops/attention_narrow.c in a
 * narrow arithmetic (cpu/narrow.h). Both keep a panel's queries, sums, top and total between blocks of keys. */
#ifndef SDW_CPU_OPS_ATTENTION_H
#define SDW_CPU_OPS_ATTENTION_H

#include "cpu/narrow.h"
#include "cpu/ops.h"

typedef struct sdw_cpu_attention {
    const sdw_cpu_narrow *narrow; /* NULL: f32 */
    int dim, keys_per_block;
    int panels, panel_parts, panels_per_part;
    /* Narrow: all keys and values are packed in the workspace's beginning, [lane][head][block]. */
    int blocks;
    ptrdiff_t key_stride, value_stride; /* bytes between rows of packed keys and values */
    size_t block_bytes, shared_bytes;
    /* Scratch of one thread, in bytes; each piece begins at a cache line. */
    size_t keys_bytes, values_bytes, scores_bytes, packed_bytes; /* packed: probabilities */
    size_t query_bytes, panel_bytes, scratch_bytes;
} sdw_cpu_attention;

/* One task: some panels of one head in one lane. */
typedef struct sdw_cpu_attention_work {
    const sdw_cpu_kernels *k;
    const sdw_op *op;
    const sdw_cpu_attention *p;
    char *shared;         /* narrow: see above */
    char *keys, *values;  /* f32: of the block; narrow: room for turning */
    float *scores;        /* keys x nr */
    char *packed;
    char *state;          /* of each panel: sums (dim x nr), top (nr), total (nr), queries */
    int lane, head, keys_total, panel0, panel1;
} sdw_cpu_attention_work;

static inline float *sdw_cpu_attention_sums(const sdw_cpu_attention_work *w, int panel)
{
    return (float *)(void *)(w->state + (size_t)(panel - w->panel0) * w->p->panel_bytes);
}

static inline float *sdw_cpu_attention_top(const sdw_cpu_attention_work *w, int panel)
{
    return sdw_cpu_attention_sums(w, panel) + (ptrdiff_t)w->p->dim * w->k->nr;
}

static inline float *sdw_cpu_attention_total(const sdw_cpu_attention_work *w, int panel)
{
    return sdw_cpu_attention_top(w, panel) + w->k->nr;
}

static inline void *sdw_cpu_attention_queries(const sdw_cpu_attention_work *w, int panel)
{
    return sdw_cpu_attention_total(w, panel) + w->k->nr;
}

static inline const float *sdw_cpu_attention_row(const sdw_cpu_attention_work *w, const sdw_tensor *t, int row)
{
    return sdw_cpu_row(t, (int64_t)w->lane * t->h * t->w + row) + (ptrdiff_t)w->head * w->p->dim;
}

/* Pieces of the workspace of a narrow attention of so many keys and heads (of all lanes), once dim is known. */
void sdw_cpu_attention_narrow_plan(const sdw_cpu_kernels *k, int heads, int keys, sdw_cpu_attention *p);
/* Packs block `index` of w's head. */
void sdw_cpu_attention_narrow_pack(const sdw_cpu_attention_work *w, int index);
/* Queries of a panel: dim x nr values in f32 at `turned` become what the arithmetic reads. */
void sdw_cpu_attention_narrow_queries(const sdw_cpu_attention_work *w, int panel, const float *turned);
/* `count` keys from `first` on, the beginning of a block. */
void sdw_cpu_attention_narrow_add(const sdw_cpu_attention_work *w, int panel, int first, int count);

#endif
