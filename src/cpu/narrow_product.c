/* narrow_product.c - see narrow_product.h. */
#include "cpu/narrow_product.h"

#include <string.h>

#include "cpu/weights.h"

enum {
    PATCH_BYTES = 640 << 10,  /* of a task's packed rows: they should stay in a core's level-2 cache */
    PASS_BYTES = 384 << 10,   /* of weights that all tiles of a task go past: some panels, or some blocks of one */
    WIDE_BYTES = 384 << 10,   /* of a task's rows in f32 before they are packed */
    ROWS_MOST = 1024, ROWS_LEAST = 128,
    CHUNK_PIXELS = 64,
    ROWS_AHEAD_PANELS = 8,    /* fewer would each have too many lines of the next rows to ask for */
    AHEAD_FLOATS = 1280,      /* of input fetched before they are packed */
    LINE = 64,                /* bytes */
    SIDE_MAX = 3,             /* of a window of taps */
};

/* ---- planning ---- */

static int border(int n, const sdw_cpu_shape *s)
{
    return (n - 1) * s->stride + s->side;
}

static void plan_blocks(const sdw_cpu_narrow *n, sdw_cpu_narrow_product *p)
{
    size_t run = sdw_cpu_narrow_run_bytes(n, p->in.each);
    p->taps = p->shape.side * p->shape.side;
    p->last_steps = sdw_cpu_narrow_padded(n, sdw_cpu_packed_steps(&p->in, p->in.blocks - 1));
    p->blocks_per_pass = (int)(PASS_BYTES / (run * (size_t)p->taps));
    if (p->blocks_per_pass > SDW_CPU_NARROW_RUNS_MAX / p->taps) p->blocks_per_pass = SDW_CPU_NARROW_RUNS_MAX / p->taps;
    if (p->blocks_per_pass < 1) p->blocks_per_pass = 1;
    p->group = p->in.blocks > p->blocks_per_pass ? 1 : (int)(PASS_BYTES / sdw_cpu_narrow_panel_bytes(n, p->shape.channels, p->taps));
    if (p->group < 1) p->group = 1;
}

/* Of a packed output's block in f32. */
static int row_bytes(const sdw_cpu_narrow_product *p)
{
    return p->out.each * (int)sizeof(float);
}

static void plan_tasks(const sdw_cpu_narrow *n, int threads, sdw_cpu_narrow_product *p)
{
    int rows = p->shape.lanes * p->shape.h * p->shape.w, aim = (int)(PATCH_BYTES / (p->in.stride * p->in.blocks)), spans = sdw_cpu_ceil_div(p->panels, p->span);
    if (aim > ROWS_MOST) aim = ROWS_MOST;
    if (p->out.rows && aim > WIDE_BYTES / row_bytes(p)) aim = WIDE_BYTES / row_bytes(p);
    if (aim < ROWS_LEAST) aim = ROWS_LEAST;
    p->tile_parts = sdw_cpu_ceil_div(rows, aim);
    if (p->tile_parts > p->tiles) p->tile_parts = p->tiles;
    p->panel_parts = 1;
    while (sdw_cpu_imbalance(p->tile_parts * p->panel_parts, threads) >= 1.06) {
        if (rows / (p->tile_parts + 1) >= ROWS_LEAST && p->tile_parts < 4 * threads) p->tile_parts++;
        else if (p->panel_parts * 2 <= spans) p->panel_parts++;
        else if (p->tiles / (p->tile_parts + 1) >= 1 && rows / (p->tile_parts + 1) >= n->mr && p->tile_parts < 4 * threads) p->tile_parts++;
        else break;
    }
}

static size_t rounded(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

void sdw_cpu_narrow_product_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, sdw_cpu_narrow_ends packed, int threads,
                                 sdw_cpu_narrow_product *p)
{
    const sdw_cpu_narrow *n = k->narrow;
    *p = (sdw_cpu_narrow_product){ .shape = *shape, .given = packed.in, .panels = sdw_cpu_panel_count(k, w), .panel_outputs = sdw_cpu_panel_outputs(k, w) };
    p->packed_w = border(shape->w, shape);
    p->packed_h = border(shape->h, shape);
    p->in = sdw_cpu_packed_layout(n, shape->lanes * p->packed_h * p->packed_w, shape->channels);
    if (packed.out) p->out = sdw_cpu_packed_layout(n, shape->w, (int)sdw_cpu_outputs(w));
    p->span = packed.out ? sdw_cpu_ceil_div(p->out.each, p->panel_outputs) : 1;
    p->chunks = sdw_cpu_ceil_div(p->packed_w, CHUNK_PIXELS);
    p->tiles_per_row = sdw_cpu_ceil_div(shape->w, n->mr);
    p->tiles = shape->lanes * shape->h * p->tiles_per_row;
    plan_blocks(n, p);
    plan_tasks(n, threads, p);
    int task_tiles = sdw_cpu_ceil_div(p->tiles, p->tile_parts);
    size_t tiles = p->in.blocks > p->blocks_per_pass ? (size_t)task_tiles : 1;
    p->sums_bytes = rounded(tiles * (size_t)n->mr * (size_t)n->nr * sizeof(float));
    size_t wide = packed.out ? rounded((size_t)(task_tiles * n->mr * row_bytes(p))) : 0, pixel = SDW_CPU_NARROW_BLOCK * sizeof(float);
    p->scratch_bytes = (p->sums_bytes + wide > pixel ? p->sums_bytes + wide : pixel) / 4096 * 4096 + 4096;
    p->shared_bytes = packed.in ? 0 : p->in.bytes;
    p->workspace = p->shared_bytes + p->scratch_bytes * (size_t)threads;
}

/* ---- packing the input ---- */

struct run {
    const sdw_cpu_kernels *k;
    const sdw_cpu_narrow_product *p;
    const sdw_cpu_operands *o;
    char *workspace;
    const char *a;               /* packed rows: in the workspace's beginning, or given */
    const sdw_cpu_narrow_scale *scale; /* theirs; NULL unless scaled */
    char *scratch;               /* of thread 0 */
};

/* Position of border column q in packed order, see the header. */
static int packed_column(const sdw_cpu_narrow_product *p, int q)
{
    int stride = p->shape.stride, even = (p->packed_w + stride - 1) / stride;
    return stride == 1 ? q : q % stride * even + q / stride; /* divisions take as long as some pixels */
}

static void pack_zeros(const struct run *r, int row)
{
    const sdw_cpu_packed *in = &r->p->in;
    for (int block = 0; block < in->blocks; block++) {
        size_t at = (size_t)block * (size_t)in->rows + (size_t)row;
        memset(r->workspace + at * (size_t)in->stride, 0, (size_t)in->stride);
        if (r->scale) sdw_cpu_packed_scales(in, r->workspace)[at] = (sdw_cpu_narrow_scale){ 0, 0 };
    }
}

/* One pixel, all blocks. */
static void pack_pixel(const struct run *r, const float *src, int lane, int row, float *wide)
{
    const sdw_cpu_packed *in = &r->p->in;
    const float *scale = r->o->coeffs ? r->o->coeffs + lane * r->o->coeffs_stride : NULL;
    if (!scale) {
        sdw_cpu_packed_write(in, r->workspace, row, src);
        return;
    }
    for (int block = 0; block < in->blocks; block++) {
        int channel = block * in->each;
        r->k->affine(wide, src + channel, scale + channel, scale + in->channels + channel, (size_t)sdw_cpu_packed_steps(in, block), r->o->pre_act);
        sdw_cpu_packed_write_block(in, r->workspace, row, block, wide);
    }
}

static void copy_pixel(const struct run *r, int row, int from)
{
    const sdw_cpu_packed *in = &r->p->in;
    sdw_cpu_narrow_scale *scale = sdw_cpu_packed_scales(in, r->workspace);
    for (int block = 0; block < in->blocks; block++) {
        size_t first = (size_t)block * (size_t)in->rows, to = first + (size_t)row, of = first + (size_t)from;
        memcpy(r->workspace + to * (size_t)in->stride, r->workspace + of * (size_t)in->stride, (size_t)in->stride);
        if (scale) scale[to] = scale[of];
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
    const float *in = r->o->in + ((int64_t)lane * s->src_h + (int64_t)y * s->src_h / s->in_h) * s->src_w * r->o->in_stride;
    int32_t before = -1;
    for (int q = first; q < end; q++) {
        int32_t column = y < 0 || y >= s->in_h ? -1 : sdw_cpu_source_column(s, q - s->pad_left);
        int row = line * p->packed_w + packed_column(p, q);
        if (column < 0) {
            pack_zeros(r, row);
        } else if (column == before) {
            copy_pixel(r, row, line * p->packed_w + packed_column(p, q - 1));
        } else {
            const float *src = in + column * r->o->in_stride;
            sdw_cpu_prefetch_part((const char *)(src + sdw_cpu_ceil_div(AHEAD_FLOATS, s->channels) * r->o->in_stride), (size_t)s->channels * sizeof(float), 1, 0);
            pack_pixel(r, src, lane, row, wide);
        }
        before = column;
    }
}

/* ---- products ---- */

/* Bytes of whole blocks in a panel. */
static size_t blocks_bytes(const sdw_cpu_narrow_product *p, const sdw_cpu_narrow *n, int blocks)
{
    return (size_t)(blocks * p->taps) * sdw_cpu_narrow_run_bytes(n, (int)(p->in.stride / n->size));
}

/* One task's view. */
typedef struct work {
    const struct run *r;
    float *sums, *wide;       /* wide: the task's rows of an output block that is to be packed; or NULL */
    int block;                /* which */
    int tile0, tile1, panel1; /* panels end there */
    int row0, row1;           /* of the tiles, where the shape is one long row */
    size_t panel_bytes;
    int block0, block1;       /* of the pass */
    int ky0, ky1;             /* rows of taps in the list of runs */
    unsigned groups_per_run;
    const char *fetch;        /* weights that are on their way while tiles are multiplied */
    ptrdiff_t fetch_step;     /* bytes for each group of steps */
    sdw_cpu_narrow_tile call; /* a, scale, c, rows and runs change by tile */
    sdw_cpu_narrow_run run[SDW_CPU_NARROW_RUNS_MAX]; /* column of taps by column */
} work;

/* Runs of the pass with the taps of some rows. */
static void list_runs(work *w, int ky0, int ky1)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    const sdw_cpu_narrow *n = w->r->k->narrow;
    int side = p->shape.side;
    sdw_cpu_narrow_run *run = w->run;
    w->ky0 = ky0;
    w->ky1 = ky1;
    for (int kx = 0; kx < side; kx++)
        for (int block = w->block0; block < w->block1; block++)
            for (int ky = ky0; ky < ky1; ky++) {
                int steps = block < p->in.blocks - 1 ? (int)(p->in.stride / n->size) : p->last_steps;
                size_t at = blocks_bytes(p, n, block) + (size_t)(kx * side + ky) * sdw_cpu_narrow_run_bytes(n, steps);
                *run++ = (sdw_cpu_narrow_run){ .row = block * p->in.rows + ky * p->packed_w + packed_column(p, kx), .at = (int32_t)at, .steps = steps };
            }
}

static void begin_pass(work *w, int block0, int block1)
{
    w->block0 = block0;
    w->block1 = block1;
    list_runs(w, 0, w->r->p->shape.side);
}

/* A tile: where its sums come from and go to. */
typedef struct place {
    int lane, y, x, rows;
    int64_t out_row;
    float *c;
} place;

/* No weights to bring nearer: the packed picture row that the next row of tiles will need, or, for want of any, what is near. */
static inline void fetch_rows(const work *w, sdw_cpu_narrow_tile *t)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    t->fetch = (const char *)t->c;
    if (p->shape.side == 1) return;
    t->fetch = (const char *)t->a + (ptrdiff_t)p->shape.side * p->packed_w * p->in.stride;
    t->fetch_step = t->rows * p->in.stride / (t->count * (ptrdiff_t)w->groups_per_run) + 1;
}

/* Rows [first, first + rows) of a tile by columns of taps. Inlined by force: of a linear layer's short tiles a call is 1 %. */
static inline __attribute__((always_inline)) void add_columns(work *w, const place *at, int kx0, int kx1, int first, int rows, bool add)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    ptrdiff_t row = ((ptrdiff_t)at->lane * p->packed_h + at->y * p->shape.stride) * p->packed_w + at->x + first;
    sdw_cpu_narrow_tile *t = &w->call;
    int each = (w->block1 - w->block0) * (w->ky1 - w->ky0);
    t->a = w->r->a + row * p->in.stride;
    t->scale = w->r->scale ? w->r->scale + row : NULL;
    t->c = at->c + (ptrdiff_t)first * w->r->k->nr;
    t->rows = rows;
    t->add = add;
    t->run = w->run + kx0 * each;
    t->count = (kx1 - kx0) * each;
    t->fetch = w->fetch;
    t->fetch_step = w->fetch_step;
    if (!w->fetch_step) fetch_rows(w, t);
    w->r->k->narrow->tile(t);
    w->fetch += w->fetch_step * t->count * (ptrdiff_t)w->groups_per_run;
}

/* Those of the pixels x, ... of a tile whose tap kx meets the picture: *ret_first and on, as many as returned. */
static int inside(const sdw_cpu_shape *s, const place *at, int kx, int *ret_first)
{
    int first = 0, end = at->rows, column = at->x * s->stride + kx - s->pad_left;
    while (first < end && column + first * s->stride < 0) first++;
    while (end > first && column + (end - 1) * s->stride >= s->in_w) end--;
    *ret_first = first;
    return end - first;
}

/* Lists the rows of taps that meet the picture somewhere; the first, where none does. */
static void choose_rows(work *w, int y)
{
    const sdw_cpu_shape *s = &w->r->p->shape;
    int ky0 = 0, ky1 = s->side, line = y * s->stride - s->pad_top;
    while (ky0 < ky1 - 1 && line + ky0 < 0) ky0++;
    while (ky0 < ky1 - 1 && line + ky1 > s->in_h) ky1--;
    if (ky0 != w->ky0 || ky1 != w->ky1) list_runs(w, ky0, ky1);
}

/* A tile's sums without the taps that meet nothing but the border's zeros: rows of taps above and below the picture for all of
 * it and, where an entry's time goes by its rows, columns of taps beside the picture for the first and last pixels. Columns that
 * serve the whole tile come first and write the sums. */
static void multiply_tile(work *w, const place *at)
{
    const sdw_cpu_shape *s = &w->r->p->shape;
    int first[SIDE_MAX], rows[SIDE_MAX], kx0 = 0, kx1 = s->side;
    choose_rows(w, at->y);
    if (w->r->k->narrow->rows_read == 1) {
        for (int kx = 0; kx < s->side; kx++) rows[kx] = inside(s, at, kx, &first[kx]);
        while (kx0 < kx1 && rows[kx0] < at->rows) kx0++;
        while (kx1 > kx0 && rows[kx1 - 1] < at->rows) kx1--;
        if (kx0 == kx1) kx0 = 0, kx1 = s->side;
    }
    add_columns(w, at, kx0, kx1, 0, at->rows, w->block0 > 0);
    for (int kx = 0; kx < s->side; kx++)
        if ((kx < kx0 || kx >= kx1) && rows[kx] > 0) add_columns(w, at, kx, kx + 1, first[kx], rows[kx], true);
}

/* Weights or rows that some tiles bring nearer, evenly: here their share is taken by tile i. What taps left out have not fetched,
 * the next tile does. */
static void fetch_part(work *w, const char *at, size_t bytes, int tiles, int i)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    w->fetch_step = 0;
    if (bytes == 0) return;
    if (!w->r->k->narrow->fetches) {
        sdw_cpu_prefetch_part(at, bytes, tiles, i);
        return;
    }
    unsigned groups = (unsigned)((w->block1 - w->block0) * p->taps) * w->groups_per_run;
    const char *end = at + bytes * (size_t)(i + 1) / (size_t)tiles;
    if (end > w->fetch) w->fetch_step = (ptrdiff_t)(((unsigned)(end - w->fetch) + groups - 1) / groups);
}

/* Of a tile, where the shape is one long row. */
static int first_row(const sdw_cpu_narrow_product *p, int tile)
{
    return sdw_cpu_cut(p->shape.w, p->tiles_per_row, tile);
}

/* Tile `index`, whose sums go to c. Found once for all panels that it goes past: a short tile is over before these divisions are. */
static place locate(const work *w, int index, float *c)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    const sdw_cpu_shape *s = &p->shape;
    int line = index / p->tiles_per_row, part = index % p->tiles_per_row;
    int x = sdw_cpu_cut(s->w, p->tiles_per_row, part), next = sdw_cpu_cut(s->w, p->tiles_per_row, part + 1);
    return (place){ .lane = line / s->h, .y = line % s->h, .x = x, .rows = next - x, .out_row = (int64_t)line * s->w + x, .c = c };
}

static void run_tile(work *w, const place *at, int panel, bool last)
{
    const struct run *r = w->r;
    const sdw_cpu_narrow_product *p = r->p;
    sdw_cpu_part done = { .c = at->c, .width = r->k->nr, .rows = at->rows, .panel = panel, .panel_outputs = p->panel_outputs, .lane = at->lane,
                          .out_row = at->out_row };
    if (w->wide) {
        done.out = w->wide + (ptrdiff_t)(at->x - w->row0) * p->out.each + (panel - w->block * p->span) * p->panel_outputs;
        done.out_stride = p->out.each;
    }
    if (last) sdw_cpu_prefetch_residual(r->o, &done);
    if (p->shape.side == 1) add_columns(w, at, 0, 1, 0, at->rows, w->block0 > 0);
    else multiply_tile(w, at);
    if (last) sdw_cpu_finish_part(r->k, r->o, &done);
}

static const char *panel_at(const work *w, int panel)
{
    return (const char *)w->r->o->weight->packed + (size_t)panel * w->panel_bytes;
}

/* A panel's factors and the weights behind them go into the call. */
static void begin_panel(work *w, int panel)
{
    const sdw_cpu_narrow *n = w->r->k->narrow;
    const char *at = panel_at(w, panel);
    w->call.factor = n->scaled ? (const float *)(const void *)at : NULL;
    w->call.b = at + sdw_cpu_narrow_head_bytes(n);
}

/* All tiles past some panels that fit the cache together: a tile's rows stay near while its panels go by. The next group's panels
 * come closer meanwhile; behind the last, where packed rows lie as they are read, those of the next tile. */
static void run_group(work *w, int first, int count)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    int tiles = w->tile1 - w->tile0, more = w->panel1 - first - count < count ? w->panel1 - first - count : count;
    bool rows_ahead = more <= 0 && count >= ROWS_AHEAD_PANELS && p->shape.side == 1 && p->in.blocks == 1;
    const char *next = panel_at(w, more > 0 ? first + count : first);
    w->fetch = next;
    begin_pass(w, 0, p->in.blocks);
    for (int i = 0; i < tiles; i++) {
        place at = locate(w, w->tile0 + i, w->sums);
        const char *rows = w->r->a + (ptrdiff_t)(at.out_row + at.rows) * p->in.stride;
        if (rows_ahead) w->fetch = rows;
        for (int j = 0; j < count; j++) {
            if (rows_ahead) fetch_part(w, rows, i + 1 < tiles ? (size_t)at.rows * (size_t)p->in.stride : 0, count, j);
            else fetch_part(w, next, more > 0 ? w->panel_bytes * (size_t)more : 0, tiles * count, i * count + j);
            begin_panel(w, first + j);
            run_tile(w, &at, first + j, true);
        }
    }
}

/* All tiles past one panel, some blocks at a time. */
static void run_in_passes(work *w, int panel)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    const sdw_cpu_narrow *n = w->r->k->narrow;
    int tiles = w->tile1 - w->tile0, size = n->mr * n->nr, each = p->blocks_per_pass;
    begin_panel(w, panel);
    for (int block = 0; block < p->in.blocks; block += each) {
        bool last = block + each >= p->in.blocks;
        begin_pass(w, block, last ? p->in.blocks : block + each);
        const char *next = last ? panel_at(w, panel + 1) : (const char *)w->call.b + blocks_bytes(p, n, block + each);
        size_t bytes = last ? blocks_bytes(p, n, each) : w->panel_bytes - blocks_bytes(p, n, block + each);
        if (bytes > blocks_bytes(p, n, each)) bytes = blocks_bytes(p, n, each);
        if (last && panel + 1 == w->panel1) {
            bytes = 0;
            next = w->call.b;
        }
        w->fetch = next;
        for (int i = 0; i < tiles; i++) {
            fetch_part(w, next, bytes, tiles, i);
            place at = locate(w, w->tile0 + i, w->sums + (ptrdiff_t)i * size);
            run_tile(w, &at, panel, last);
        }
    }
}

static void run_panels(work *w, int first, int end)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    for (int panel = first; panel < end; panel += p->group)
        if (p->in.blocks > p->blocks_per_pass) run_in_passes(w, panel);
        else run_group(w, panel, end - panel < p->group ? end - panel : p->group);
}

/* Panels of an output block, whose rows then leave f32. */
static void run_block(work *w, int block)
{
    const sdw_cpu_narrow_product *p = w->r->p;
    int first = block * p->span, end = first + p->span < p->panels ? first + p->span : p->panels;
    w->block = block;
    run_panels(w, first, end);
    for (int row = w->row0; row < w->row1; row++) sdw_cpu_packed_write_block(&p->out, w->r->o->out, row, block, w->wide + (ptrdiff_t)(row - w->row0) * p->out.each);
}

/* Panels vary fastest: neighbours in time share their rows in the last-level cache. */
static void run_task(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_narrow_product *p = r->p;
    int part = index % p->panel_parts, tiles = index / p->panel_parts, spans = sdw_cpu_ceil_div(p->panels, p->span);
    int first = sdw_cpu_cut(spans, p->panel_parts, part), end = sdw_cpu_cut(spans, p->panel_parts, part + 1);
    char *scratch = r->scratch + (size_t)thread * p->scratch_bytes;
    work w = { .r = r, .sums = (float *)(void *)scratch, .wide = p->out.rows ? (float *)(void *)(scratch + p->sums_bytes) : NULL };
    w.tile0 = sdw_cpu_cut(p->tiles, p->tile_parts, tiles);
    w.tile1 = sdw_cpu_cut(p->tiles, p->tile_parts, tiles + 1);
    w.row0 = first_row(p, w.tile0);
    w.row1 = first_row(p, w.tile1);
    w.panel1 = end * p->span < p->panels ? end * p->span : p->panels;
    w.panel_bytes = sdw_cpu_narrow_panel_bytes(r->k->narrow, p->shape.channels, p->taps);
    w.call.stride = p->in.stride;
    w.groups_per_run = (unsigned)(p->in.stride / (r->k->narrow->size * r->k->narrow->group));
    sdw_cpu_narrow_begin(r->k->narrow);
    if (!w.wide) run_panels(&w, first, w.panel1);
    for (int block = first; w.wide && block < end; block++) run_block(&w, block);
    sdw_cpu_narrow_end(r->k->narrow);
}

void sdw_cpu_narrow_product_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_narrow_product *p, const sdw_cpu_operands *o,
                                void *workspace, const atomic_bool *cancel)
{
    struct run r = { .k = k, .p = p, .o = o, .workspace = workspace, .a = p->given ? (const char *)o->in : workspace };
    r.scale = sdw_cpu_packed_scales(&p->in, r.a);
    r.scratch = r.workspace + p->shared_bytes;
    if (!p->given) sdw_cpu_pool_run(pool, p->shape.lanes * p->packed_h * p->chunks, pack_chunk, &r, cancel);
    sdw_cpu_pool_run(pool, p->tile_parts * p->panel_parts, run_task, &r, cancel);
}
