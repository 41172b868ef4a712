/* product.c - see product.h. */
#include "cpu/product.h"

#include <string.h>

#include "cpu/weights.h"

enum {
    CACHE_FLOATS = 640 << 8,  /* 640 KiB of a core's level-2 cache for the patch and its sums */
    PIXELS_MAX = 512,
    COLUMNS_AIM = 320,        /* enough to hide the packing of the patch */
    PACK_PIXELS = 16,
};

typedef struct tile {
    int32_t a;        /* first row in a plane of the patch, floats */
    int32_t rows;
    int32_t c;        /* first row in a panel's sums */
    int32_t lane;
    int64_t out_row;
} tile;

/* One task's view of the scratch memory and of its part of the output. */
typedef struct work {
    const sdw_cpu_kernels *k;
    const sdw_cpu_product *p;
    const sdw_cpu_operands *o;
    float *a, *b, *c;
    tile *tile;
    int32_t *column;  /* source pixel of each packed column, -1 = padding */
    int lane0, lane1, y0, y1, x0, x1, panel0, panel1;
    int tiles, rows;  /* rows: sum over tiles */
    int packed_w, packed_h; /* of one lane's patch with its border */
} work;

static int border(int n, const sdw_cpu_shape *s)
{
    return (n - 1) * s->stride + s->side;
}

/* ---- planning ---- */

static void plan_blocks(const sdw_cpu_kernels *k, sdw_cpu_product *p)
{
    int taps = p->shape.side * p->shape.side, segments = sdw_cpu_segments(&p->shape);
    int per = k->steps_max / (SDW_CPU_SEGMENT * taps);
    if (per > SDW_CPU_RUNS_MAX / taps) per = SDW_CPU_RUNS_MAX / taps;
    if (per < 1) per = 1;
    p->blocks = sdw_cpu_ceil_div(segments, per);
    p->segments_per_block = sdw_cpu_ceil_div(segments, p->blocks);
    p->blocks = sdw_cpu_ceil_div(segments, p->segments_per_block);
}

static void plan_tasks(const sdw_cpu_kernels *k, int threads, sdw_cpu_product *p)
{
    const sdw_cpu_shape *s = &p->shape;
    p->panel_parts = sdw_cpu_ceil_div(p->panels * k->nr, COLUMNS_AIM);
    int columns = sdw_cpu_ceil_div(p->panels, p->panel_parts) * k->nr;
    int per_pixel = (p->blocks > 1 ? columns : 0) + p->segments_per_block * SDW_CPU_SEGMENT * (s->side > 1 ? 3 * s->stride * s->stride : 2) / 2;
    int pixels = CACHE_FLOATS / per_pixel;
    if (pixels > PIXELS_MAX) pixels = PIXELS_MAX;
    if (pixels < k->mr) pixels = k->mr;
    int widest = s->h == 1 ? pixels : 96; /* near-square patches have the smallest border */
    p->x_parts = s->w <= widest ? 1 : sdw_cpu_ceil_div(s->w, s->h == 1 ? pixels : 64);
    int w = sdw_cpu_ceil_div(s->w, p->x_parts), h = pixels / w < 1 ? 1 : pixels / w;
    p->y_parts = sdw_cpu_ceil_div(s->h, h);
    int lanes = p->y_parts * p->x_parts == 1 ? pixels / (s->w * s->h) : 1;
    p->lane_groups = sdw_cpu_ceil_div(s->lanes, lanes < 1 ? 1 : lanes);
    for (;;) {
        int tasks = p->lane_groups * p->x_parts * p->y_parts * p->panel_parts;
        if (sdw_cpu_imbalance(tasks, threads) < 1.06) break;
        if (p->panel_parts * 2 < p->panels) p->panel_parts++;
        else if (p->y_parts < s->h && p->y_parts < 4 * threads) p->y_parts++;
        else if (s->h == 1 && p->x_parts * 2 * k->mr < s->w && p->x_parts < 4 * threads) p->x_parts++;
        else break;
    }
}

void sdw_cpu_product_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, int threads, sdw_cpu_product *p)
{
    *p = (sdw_cpu_product){ .shape = *shape, .panels = sdw_cpu_panel_count(k, w), .panel_outputs = sdw_cpu_panel_outputs(k, w) };
    plan_blocks(k, p);
    plan_tasks(k, threads, p);
    p->patch_w = sdw_cpu_ceil_div(shape->w, p->x_parts);
    p->patch_h = sdw_cpu_ceil_div(shape->h, p->y_parts);
    p->patch_lanes = sdw_cpu_ceil_div(shape->lanes, p->lane_groups);
    p->patch_panels = sdw_cpu_ceil_div(p->panels, p->panel_parts);
    size_t packed = (size_t)border(p->patch_w, shape) * (size_t)border(p->patch_h, shape) * (size_t)p->patch_lanes;
    size_t rows = (size_t)p->patch_w * (size_t)p->patch_h * (size_t)p->patch_lanes;
    p->a_floats = packed * SDW_CPU_SEGMENT * (size_t)p->segments_per_block;
    p->b_floats = (size_t)p->segments_per_block * SDW_CPU_SEGMENT * (size_t)(shape->side * shape->side) * (size_t)k->nr;
    p->c_floats = p->blocks > 1 ? rows * (size_t)p->patch_panels * (size_t)k->nr : (size_t)k->mr * (size_t)k->nr;
    p->tiles = (size_t)sdw_cpu_ceil_div(p->patch_w, k->mr) * (size_t)p->patch_h * (size_t)p->patch_lanes;
    size_t columns = (size_t)border(p->patch_w, shape);
    size_t bytes = (p->a_floats + p->b_floats + p->c_floats) * sizeof(float) + p->tiles * sizeof(tile) + columns * sizeof(int32_t);
    p->scratch_bytes = (bytes + 5 * 64 + 4095) / 4096 * 4096;
}

/* ---- one task ---- */

static void lay_out(work *k, char *scratch)
{
    const sdw_cpu_product *p = k->p;
    k->a = sdw_cpu_carve(&scratch, p->a_floats * sizeof(float));
    k->b = sdw_cpu_carve(&scratch, p->b_floats * sizeof(float));
    k->c = sdw_cpu_carve(&scratch, p->c_floats * sizeof(float));
    k->tile = sdw_cpu_carve(&scratch, p->tiles * sizeof(tile));
    k->column = sdw_cpu_carve(&scratch, (size_t)border(p->patch_w, &p->shape) * sizeof(int32_t));
}

/* Position of border column q in packed order: with stride 2 the even columns come first, then the odd ones, so that the
 * pixels of a tile are neighbours for every tap. */
static int packed_column(const work *k, int q)
{
    int stride = k->p->shape.stride, even = (k->packed_w + stride - 1) / stride;
    return q % stride * even + q / stride;
}

static void list_columns(work *k)
{
    const sdw_cpu_shape *s = &k->p->shape;
    for (int q = 0; q < k->packed_w; q++) {
        k->column[packed_column(k, q)] = sdw_cpu_source_column(s, k->x0 * s->stride - s->pad_left + q);
    }
}

/* Every output row of the patch becomes tiles of nearly equal size. */
static void list_tiles(work *k)
{
    const sdw_cpu_shape *s = &k->p->shape;
    int w = k->x1 - k->x0, per_row = sdw_cpu_ceil_div(w, k->k->mr);
    k->tiles = k->rows = 0;
    for (int lane = k->lane0; lane < k->lane1; lane++)
        for (int y = k->y0; y < k->y1; y++)
            for (int i = 0; i < per_row; i++) {
                int x = sdw_cpu_cut(w, per_row, i), next = sdw_cpu_cut(w, per_row, i + 1);
                int row = ((lane - k->lane0) * k->packed_h + (y - k->y0) * s->stride) * k->packed_w + x;
                k->tile[k->tiles++] = (tile){ .a = row * SDW_CPU_SEGMENT, .rows = next - x, .c = k->rows, .lane = lane,
                                              .out_row = ((int64_t)lane * s->h + y) * s->w + k->x0 + x };
                k->rows += next - x;
            }
}

static size_t plane_floats(const work *k)
{
    return (size_t)(k->lane1 - k->lane0) * (size_t)k->packed_h * (size_t)k->packed_w * SDW_CPU_SEGMENT;
}

/* Some pixels at a time through all segments, so that their memory is read in one go. */
static void pack_patch(work *k, int segment0, int segment1)
{
    const sdw_cpu_shape *s = &k->p->shape;
    size_t plane = plane_floats(k);
    float *dst = k->a;
    for (int lane = k->lane0; lane < k->lane1; lane++)
        for (int i = 0; i < k->packed_h; i++, dst += (ptrdiff_t)k->packed_w * SDW_CPU_SEGMENT)
            for (int x = 0; x < k->packed_w; x += PACK_PIXELS) {
                int count = k->packed_w - x < PACK_PIXELS ? k->packed_w - x : PACK_PIXELS;
                float *to = dst + (ptrdiff_t)x * SDW_CPU_SEGMENT;
                for (int segment = segment0; segment < segment1; segment++, to += plane)
                    sdw_cpu_pack_row(k->k, s, k->o, to, lane, k->y0 * s->stride - s->pad_top + i, k->column + x, count, segment);
            }
}

/* Returns the number of steps. */
static int list_runs(const work *k, int segment0, int segment1, sdw_cpu_runs *runs)
{
    int side = k->p->shape.side, steps = 0;
    runs->stride = SDW_CPU_SEGMENT;
    runs->count = 0;
    for (int segment = segment0; segment < segment1; segment++)
        for (int ky = 0; ky < side; ky++)
            for (int kx = 0; kx < side; kx++) {
                size_t at = (size_t)(segment - segment0) * plane_floats(k);
                at += (size_t)(ky * k->packed_w + packed_column(k, kx)) * SDW_CPU_SEGMENT;
                runs->offset[runs->count] = (int32_t)at;
                runs->length[runs->count++] = sdw_cpu_segment_length(&k->p->shape, segment);
                steps += sdw_cpu_segment_length(&k->p->shape, segment);
            }
    return steps;
}

static sdw_cpu_part part_of(const work *k, const tile *t, int panel, int width, const float *c)
{
    return (sdw_cpu_part){ .c = c, .width = width, .rows = t->rows, .panel = panel, .panel_outputs = k->p->panel_outputs, .lane = t->lane,
                           .out_row = t->out_row };
}

static void add_block(work *k, int block)
{
    const sdw_cpu_product *p = k->p;
    int side = p->shape.side, segments = sdw_cpu_segments(&p->shape);
    int segment0 = block * p->segments_per_block, segment1 = segment0 + p->segments_per_block;
    if (segment1 > segments) segment1 = segments;
    size_t item = sdw_dtype_size(sdw_cpu_packed_dtype(k->o->weight));
    sdw_cpu_runs runs;
    pack_patch(k, segment0, segment1);
    int steps = list_runs(k, segment0, segment1, &runs);
    int64_t first_step = (int64_t)segment0 * SDW_CPU_SEGMENT * side * side;
    bool last = block == p->blocks - 1;
    for (int panel = k->panel0; panel < k->panel1; panel++) {
        int width = sdw_cpu_panel_width(k->k, k->o->weight, panel);
        sdw_cpu_tile_fn *const *kernel = width == k->k->nr ? k->k->tile : k->k->tile_half;
        const char *at = sdw_cpu_panel_at(k->k, k->o->weight, panel, width, first_step), *next = NULL;
        if (panel + 1 < k->panel1) next = sdw_cpu_panel_at(k->k, k->o->weight, panel + 1, sdw_cpu_panel_width(k->k, k->o->weight, panel + 1), first_step);
        const float *b = sdw_cpu_panel_f32(k->k, k->o->weight, at, (size_t)steps * (size_t)width, k->b);
        float *sums = k->c + (p->blocks > 1 ? (ptrdiff_t)(panel - k->panel0) * k->rows * k->k->nr : 0);
        for (int i = 0; i < k->tiles; i++) {
            const tile *t = &k->tile[i];
            float *c = p->blocks > 1 ? sums + (ptrdiff_t)t->c * width : sums;
            if (next) sdw_cpu_prefetch_part(next, (size_t)steps * (size_t)width * item, k->tiles, i);
            sdw_cpu_part part = part_of(k, t, panel, width, c);
            if (last) sdw_cpu_prefetch_residual(k->o, &part);
            kernel[t->rows](k->a + t->a, b, c, &runs, block > 0);
            if (last) sdw_cpu_finish_part(k->k, k->o, &part);
        }
    }
}

struct run {
    const sdw_cpu_kernels *k;
    const sdw_cpu_product *p;
    const sdw_cpu_operands *o;
    char *workspace;
};

/* Panels vary fastest: neighbours in time share the patch's input in the last-level cache. */
static void run_task(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_product *p = r->p;
    const sdw_cpu_shape *s = &p->shape;
    work k = { .k = r->k, .p = p, .o = r->o };
    lay_out(&k, r->workspace + (size_t)thread * p->scratch_bytes);
    int panel = index % p->panel_parts, x = index / p->panel_parts % p->x_parts;
    int y = index / p->panel_parts / p->x_parts % p->y_parts, lane = index / p->panel_parts / p->x_parts / p->y_parts;
    k.panel0 = sdw_cpu_cut(p->panels, p->panel_parts, panel);
    k.panel1 = sdw_cpu_cut(p->panels, p->panel_parts, panel + 1);
    k.x0 = sdw_cpu_cut(s->w, p->x_parts, x);
    k.x1 = sdw_cpu_cut(s->w, p->x_parts, x + 1);
    k.y0 = sdw_cpu_cut(s->h, p->y_parts, y);
    k.y1 = sdw_cpu_cut(s->h, p->y_parts, y + 1);
    k.lane0 = sdw_cpu_cut(s->lanes, p->lane_groups, lane);
    k.lane1 = sdw_cpu_cut(s->lanes, p->lane_groups, lane + 1);
    k.packed_w = border(k.x1 - k.x0, s);
    k.packed_h = border(k.y1 - k.y0, s);
    list_columns(&k);
    list_tiles(&k);
    for (int block = 0; block < p->blocks; block++) add_block(&k, block);
}

void sdw_cpu_product_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_product *p, const sdw_cpu_operands *o, void *workspace,
                         const atomic_bool *cancel)
{
    struct run r = { .k = k, .p = p, .o = o, .workspace = workspace };
    sdw_cpu_pool_run(pool, p->lane_groups * p->x_parts * p->y_parts * p->panel_parts, run_task, &r, cancel);
}
