/* narrow_product.c - see narrow_product.h. */
#include "cpu/narrow_product.h"

#include <string.h>

#include "cpu/weights.h"

enum {
    PATCH_BYTES = 640 << 10,  /* of a task's packed rows: they should stay in a core's level-2 cache */
    PASS_BYTES = 384 << 10,   /* of weights that all tiles of a task go past: some panels, or some blocks of one */
    ROWS_MOST = 1024, ROWS_LEAST = 128,
    CHUNK_PIXELS = 64,
    AHEAD_FLOATS = 1280,      /* of input fetched before they are packed */
    LINE = 64,                /* bytes */
};

/* ---- planning ---- */

static int border(int n, const sdw_cpu_shape *s)
{
    return (n - 1) * s->stride + s->side;
}

static void plan_blocks(const sdw_cpu_narrow *n, sdw_cpu_narrow_product *p)
{
    int padded = sdw_cpu_narrow_padded(n, sdw_cpu_narrow_block_steps(n, p->shape.channels, 0));
    size_t run = sdw_cpu_narrow_run_bytes(n, padded);
    p->taps = p->shape.side * p->shape.side;
    p->blocks = sdw_cpu_narrow_blocks(n, p->shape.channels);
    p->stride = (ptrdiff_t)padded * n->size;
    p->blocks_per_pass = (int)(PASS_BYTES / (run * (size_t)p->taps));
    if (p->blocks_per_pass > SDW_CPU_NARROW_RUNS_MAX / p->taps) p->blocks_per_pass = SDW_CPU_NARROW_RUNS_MAX / p->taps;
    if (p->blocks_per_pass < 1) p->blocks_per_pass = 1;
    p->group = p->blocks > p->blocks_per_pass ? 1 : (int)(PASS_BYTES / sdw_cpu_narrow_panel_bytes(n, p->shape.channels, p->taps));
    if (p->group < 1) p->group = 1;
}

static void plan_tasks(const sdw_cpu_narrow *n, int threads, sdw_cpu_narrow_product *p)
{
    int rows = p->shape.lanes * p->shape.h * p->shape.w, aim = (int)(PATCH_BYTES / (p->stride * p->blocks));
    if (aim > ROWS_MOST) aim = ROWS_MOST;
    if (aim < ROWS_LEAST) aim = ROWS_LEAST;
    p->tile_parts = sdw_cpu_ceil_div(rows, aim);
    if (p->tile_parts > p->tiles) p->tile_parts = p->tiles;
    p->panel_parts = 1;
    while (sdw_cpu_imbalance(p->tile_parts * p->panel_parts, threads) >= 1.06) {
        if (rows / (p->tile_parts + 1) >= ROWS_LEAST && p->tile_parts < 4 * threads) p->tile_parts++;
        else if (p->panel_parts * 2 <= p->panels) p->panel_parts++;
        else if (p->tiles / (p->tile_parts + 1) >= 1 && rows / (p->tile_parts + 1) >= n->mr && p->tile_parts < 4 * threads) p->tile_parts++;
        else break;
    }
}

static size_t rounded(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

/* All packed rows. */
static size_t rows_bytes(const sdw_cpu_narrow *n, const sdw_cpu_narrow_product *p)
{
    return rounded(((size_t)p->blocks * (size_t)p->packed_rows + sdw_cpu_narrow_spare_rows(n)) * (size_t)p->stride);
}

void sdw_cpu_narrow_product_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, int threads, sdw_cpu_narrow_product *p)
{
    const sdw_cpu_narrow *n = k->narrow;
    *p = (sdw_cpu_narrow_product){ .shape = *shape, .panels = sdw_cpu_panel_count(k, w), .panel_outputs = sdw_cpu_panel_outputs(k, w) };
    plan_blocks(n, p);
    p->packed_w = border(shape->w, shape);
    p->packed_h = border(shape->h, shape);
    p->packed_rows = shape->lanes * p->packed_h * p->packed_w;
    p->chunks = sdw_cpu_ceil_div(p->packed_w, CHUNK_PIXELS);
    p->tiles_per_row = sdw_cpu_ceil_div(shape->w, n->mr);
    p->tiles = shape->lanes * shape->h * p->tiles_per_row;
    plan_tasks(n, threads, p);
    size_t rows = (size_t)p->blocks * (size_t)p->packed_rows;
    p->shared_bytes = rows_bytes(n, p) + (n->scaled ? rounded(rows * sizeof(sdw_cpu_narrow_scale)) : 0);
    size_t tiles = p->blocks > p->blocks_per_pass ? (size_t)sdw_cpu_ceil_div(p->tiles, p->tile_parts) : 1;
    size_t sums = rounded(tiles * (size_t)n->mr * (size_t)n->nr * sizeof(float)), wide = rounded(SDW_CPU_NARROW_BLOCK * sizeof(float));
    size_t columns = rounded((size_t)p->packed_w * sizeof(int32_t));
    p->scratch_bytes = (sums + wide + columns + 4095) / 4096 * 4096;
    p->workspace = p->shared_bytes + p->scratch_bytes * (size_t)threads;
}

/* ---- packing the input ---- */

struct run {
    const sdw_cpu_kernels *k;
    const sdw_cpu_narrow_product *p;
    const sdw_cpu_operands *o;
    char *a;                     /* shared workspace */
    sdw_cpu_narrow_scale *scale; /* behind it; NULL unless scaled */
    char *scratch;               /* of thread 0 */
};

/* Position of border column q in packed order, see the header. */
static int packed_column(const sdw_cpu_narrow_product *p, int q)
{
    int stride = p->shape.stride, even = (p->packed_w + stride - 1) / stride;
    return q % stride * even + q / stride;
}

static void pack_zeros(const struct run *r, int block, int row)
{
    size_t at = (size_t)block * (size_t)r->p->packed_rows + (size_t)row;
    memset(r->a + at * (size_t)r->p->stride, 0, (size_t)r->p->stride);
    if (r->scale) r->scale[at] = (sdw_cpu_narrow_scale){ 0, 0 };
}

/* One pixel, all blocks. */
static void pack_pixel(const struct run *r, const float *src, int lane, int row, float *wide)
{
    const sdw_cpu_narrow_product *p = r->p;
    const sdw_cpu_narrow *n = r->k->narrow;
    const float *scale = r->o->coeffs ? r->o->coeffs + lane * r->o->coeffs_stride : NULL;
    int channel = 0, channels = p->shape.channels;
    for (int block = 0; block < p->blocks; block++) {
        int steps = sdw_cpu_narrow_block_steps(n, channels, block);
        size_t at = (size_t)block * (size_t)p->packed_rows + (size_t)row;
        const float *from = src + channel;
        if (scale) {
            r->k->affine(wide, from, scale + channel, scale + channels + channel, (size_t)steps, r->o->pre_act);
            from = wide;
        }
        n->row(r->a + at * (size_t)p->stride, r->scale ? r->scale + at : NULL, from, steps, (int)(p->stride / n->size));
        channel += steps;
    }
}

static void copy_pixel(const struct run *r, int row, int from)
{
    for (int block = 0; block < r->p->blocks; block++) {
        size_t first = (size_t)block * (size_t)r->p->packed_rows, to = first + (size_t)row, of = first + (size_t)from;
        memcpy(r->a + to * (size_t)r->p->stride, r->a + of * (size_t)r->p->stride, (size_t)r->p->stride);
        if (r->scale) r->scale[to] = r->scale[of];
    }
}

/* Some columns of one row of a lane's widened picture. */
static void pack_chunk(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_narrow_product *p = r->p;
    const sdw_cpu_shape *s = &p->shape;
    float *wide = (float *)(void *)(r->scratch + (size_t)thread * p->scratch_bytes);
    int chunk = index % p->chunks, line = index / p->chunks, lane = line / p->packed_h, y = line % p->packed_h - s->pad_top;
    int first = sdw_cpu_cut(p->packed_w, p->chunks, chunk), end = sdw_cpu_cut(p->packed_w, p->chunks, chunk + 1);
    int32_t before = -1;
    for (int q = first; q < end; q++) {
        int32_t column = y < 0 || y >= s->in_h ? -1 : sdw_cpu_source_column(s, q - s->pad_left);
        int row = line * p->packed_w + packed_column(p, q);
        if (column < 0) {
            for (int block = 0; block < p->blocks; block++) pack_zeros(r, block, row);
        } else if (column == before) {
            copy_pixel(r, row, line * p->packed_w + packed_column(p, q - 1));
        } else {
            int64_t pixel = ((int64_t)lane * s->src_h + (int64_t)y * s->src_h / s->in_h) * s->src_w + column;
            const float *src = r->o->in + pixel * r->o->in_stride;
            sdw_cpu_prefetch_part((const char *)(src + sdw_cpu_ceil_div(AHEAD_FLOATS, s->channels) * r->o->in_stride), (size_t)s->channels * sizeof(float), 1, 0);
            pack_pixel(r, src, lane, row, wide);
        }
        before = column;
    }
}

/* ---- products ---- */

/* One task's view. */
typedef struct work {
    const struct run *r;
    float *sums;
    int tile0, tile1, panel0, panel1;
    size_t panel_bytes;
    sdw_cpu_narrow_tile call; /* runs of the pass; a, scale, c and rows change by tile */
} work;

/* Runs of the blocks [first, end), as steps in the order of the panel. */
static void list_runs(work *w, int first, int end)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    const sdw_cpu_narrow *n = w->r->k->narrow;
    sdw_cpu_narrow_tile *t = &w->call;
    t->count = 0;
    for (int block = first; block < end; block++) {
        int steps = sdw_cpu_narrow_padded(n, sdw_cpu_narrow_block_steps(n, p->shape.channels, block));
        for (int ky = 0; ky < p->shape.side; ky++)
            for (int kx = 0; kx < p->shape.side; kx++) {
                t->row[t->count] = block * p->packed_rows + ky * p->packed_w + packed_column(p, kx);
                t->steps[t->count++] = steps;
            }
    }
}

static size_t pass_bytes(const work *w)
{
    size_t bytes = 0;
    for (int i = 0; i < w->call.count; i++) bytes += sdw_cpu_narrow_run_bytes(w->r->k->narrow, w->call.steps[i]);
    return bytes;
}

static void run_tile(work *w, int index, int panel, float *c, bool last)
{
    const struct run *r = w->r;
    const sdw_cpu_narrow_product *p = r->p;
    const sdw_cpu_shape *s = &p->shape;
    int line = index / p->tiles_per_row, part = index % p->tiles_per_row, lane = line / s->h, y = line % s->h;
    int x = sdw_cpu_cut(s->w, p->tiles_per_row, part), next = sdw_cpu_cut(s->w, p->tiles_per_row, part + 1);
    ptrdiff_t row = ((ptrdiff_t)lane * p->packed_h + y * s->stride) * p->packed_w + x;
    sdw_cpu_part done = { .c = c, .width = r->k->nr, .rows = next - x, .panel = panel, .panel_outputs = p->panel_outputs, .lane = lane,
                          .out_row = (int64_t)line * s->w + x };
    if (last) sdw_cpu_prefetch_residual(r->o, &done);
    w->call.a = r->a + row * p->stride;
    w->call.scale = r->scale ? r->scale + row : NULL;
    w->call.c = c;
    w->call.rows = next - x;
    r->k->narrow->tile(&w->call);
    if (last) sdw_cpu_finish_part(r->k, r->o, &done);
}

static const char *panel_at(const work *w, int panel)
{
    return (const char *)w->r->o->weight->packed + (size_t)panel * w->panel_bytes;
}

/* A panel's weights behind its factors; those go into the call. */
static const char *begin_panel(work *w, int panel)
{
    const sdw_cpu_narrow *n = w->r->k->narrow;
    const char *at = panel_at(w, panel);
    w->call.factor = n->scaled ? (const float *)(const void *)at : NULL;
    return at + sdw_cpu_narrow_head_bytes(n);
}

/* All tiles past some panels that fit the cache together: a tile's rows stay near while its panels go by. */
static void run_group(work *w, int first, int count)
{
    int tiles = w->tile1 - w->tile0, more = w->panel1 - first - count < count ? w->panel1 - first - count : count;
    list_runs(w, 0, w->r->p->blocks);
    for (int i = 0; i < tiles; i++)
        for (int j = 0; j < count; j++) {
            if (more > 0) sdw_cpu_prefetch_part(panel_at(w, first + count), w->panel_bytes * (size_t)more, tiles * count, i * count + j);
            w->call.b = begin_panel(w, first + j);
            run_tile(w, w->tile0 + i, first + j, w->sums, true);
        }
}

/* All tiles past one panel, some blocks at a time. */
static void run_in_passes(work *w, int panel)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    int tiles = w->tile1 - w->tile0, size = w->r->k->narrow->mr * w->r->k->narrow->nr;
    const char *at = begin_panel(w, panel);
    for (int block = 0; block < p->blocks; block += p->blocks_per_pass) {
        bool last = block + p->blocks_per_pass >= p->blocks;
        list_runs(w, block, last ? p->blocks : block + p->blocks_per_pass);
        size_t bytes = pass_bytes(w);
        w->call.b = at;
        w->call.add = block > 0;
        at += bytes;
        const char *next = last ? panel_at(w, panel + 1) : at;
        for (int i = 0; i < tiles; i++) {
            if (!last || panel + 1 < w->panel1) sdw_cpu_prefetch_part(next, bytes, tiles, i);
            run_tile(w, w->tile0 + i, panel, w->sums + (ptrdiff_t)i * size, last);
        }
    }
}

/* Panels vary fastest: neighbours in time share their rows in the last-level cache. */
static void run_task(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_narrow_product *p = r->p;
    int panels = index % p->panel_parts, tiles = index / p->panel_parts;
    work w = { .r = r, .sums = (float *)(void *)(r->scratch + (size_t)thread * p->scratch_bytes) };
    w.tile0 = sdw_cpu_cut(p->tiles, p->tile_parts, tiles);
    w.tile1 = sdw_cpu_cut(p->tiles, p->tile_parts, tiles + 1);
    w.panel0 = sdw_cpu_cut(p->panels, p->panel_parts, panels);
    w.panel1 = sdw_cpu_cut(p->panels, p->panel_parts, panels + 1);
    w.panel_bytes = sdw_cpu_narrow_panel_bytes(r->k->narrow, p->shape.channels, p->taps);
    w.call.stride = p->stride;
    sdw_cpu_narrow_begin(r->k->narrow);
    for (int panel = w.panel0; panel < w.panel1; panel += p->group)
        if (p->blocks > p->blocks_per_pass) run_in_passes(&w, panel);
        else run_group(&w, panel, w.panel1 - panel < p->group ? w.panel1 - panel : p->group);
    sdw_cpu_narrow_end(r->k->narrow);
}

void sdw_cpu_narrow_product_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_narrow_product *p, const sdw_cpu_operands *o,
                                void *workspace, const atomic_bool *cancel)
{
    struct run r = { .k = k, .p = p, .o = o, .a = workspace };
    r.scale = k->narrow->scaled ? (sdw_cpu_narrow_scale *)(void *)(r.a + rows_bytes(k->narrow, p)) : NULL;
    r.scratch = r.a + p->shared_bytes;
    sdw_cpu_pool_run(pool, p->shape.lanes * p->packed_h * p->chunks, pack_chunk, &r, cancel);
    sdw_cpu_pool_run(pool, p->tile_parts * p->panel_parts, run_task, &r, cancel);
}
