/* winograd.c - see winograd.h. */
#include "cpu/winograd.h"

#include <string.h>

#include "cpu/weights.h"

enum {
    TILE = SDW_SUMS_ROWS,    /* outputs of a tile, each way: 4, and a row of tiles is a row of cells of the sums */
    REACH = 6,               /* inputs of a tile, each way */
    POINTS = REACH * REACH,
    TAPS = 9,
    LINE_FLOATS = 16,        /* between points: 36 streams a power of two apart would share one set of the cache */
    TILES_MAX = 112,         /* with 32 columns the sums take half of a level-2 cache of 1 MB */
    V_FLOATS = 1536 << 10,   /* 6 MB of the last-level cache */
    PATCH_W = SDW_SUMS_COLUMNS / TILE, /* a task's columns are one part of those of the sums */
    BLOCK_SEGMENTS = 2,
};

/* One task's view of the scratch memory and of its part of the output. Distances in floats. */
typedef struct work {
    const sdw_cpu_kernels *k;
    const sdw_cpu_winograd *p;
    const sdw_cpu_operands *o;
    float *strip, *v, *u, *m, *wide, *out;
    int32_t *column; /* source pixel of each column of the strip */
    int lane0, lane1, y0, y1, x0, x1, panel0, panel1; /* y and x in tiles */
    int x_part;
    int tiles, strip_w;
    ptrdiff_t v_point, v_segment, m_point;
} work;

/* ---- planning ---- */

/* Multiplications of one lane, with what the transforms cost beside them, measured in the same unit. */
static bool worth_it(const sdw_cpu_kernels *k, const sdw_cpu_shape *s, const sdw_weight *w)
{
    double tiles = (double)sdw_cpu_ceil_div(s->h, TILE) * sdw_cpu_ceil_div(s->w, TILE), in = (double)sdw_cpu_segments(s) * SDW_CPU_SEGMENT;
    double out = (double)sdw_cpu_ceil_div((int)w->out, k->nr / 2) * (k->nr / 2);
    double products = POINTS * tiles * in * out, transforms = 200 * tiles * (in + out) + 90 * in * out;
    return 1.1 * (products + transforms) < TAPS * (double)s->h * s->w * s->channels * out;
}

static void plan_tasks(const sdw_cpu_kernels *k, int threads, sdw_cpu_winograd *p)
{
    int most = V_FLOATS / (POINTS * SDW_CPU_SEGMENT * sdw_cpu_segments(&p->shape));
    if (most > TILES_MAX) most = TILES_MAX;
    if (most < k->mr) most = k->mr;
    p->panel_parts = 1;
    p->x_parts = sdw_cpu_ceil_div(p->tiles_w, PATCH_W);
    int w = sdw_cpu_ceil_div(p->tiles_w, p->x_parts), h = most / w < 1 ? 1 : most / w;
    p->y_parts = sdw_cpu_ceil_div(p->tiles_h, h);
    int lanes = p->y_parts * p->x_parts == 1 ? most / (p->tiles_w * p->tiles_h) : 1;
    p->lane_groups = sdw_cpu_ceil_div(p->shape.lanes, lanes < 1 ? 1 : lanes);
    for (;;) {
        int patches = p->lane_groups * p->x_parts * p->y_parts;
        if (sdw_cpu_imbalance(patches * p->panel_parts, threads) < 1.06) break;
        if (patches >= 4 * threads && p->y_parts < p->tiles_h) p->y_parts++;
        else if (p->panel_parts * 2 <= p->panels) p->panel_parts++;
        else if (p->y_parts < p->tiles_h && p->y_parts < 4 * threads) p->y_parts++;
        else break;
    }
}

static ptrdiff_t points_apart(int rows, int width)
{
    return (ptrdiff_t)rows * width + LINE_FLOATS;
}

bool sdw_cpu_winograd_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, int threads, sdw_cpu_winograd *p)
{
    if (!k->winograd || shape->side != 3 || shape->stride != 1 || !worth_it(k, shape, w)) return false;
    int segments = sdw_cpu_segments(shape);
    *p = (sdw_cpu_winograd){ .shape = *shape, .panels = sdw_cpu_panel_count(k, w) };
    p->tiles_w = sdw_cpu_ceil_div(shape->w, TILE);
    p->tiles_h = sdw_cpu_ceil_div(shape->h, TILE);
    p->blocks = sdw_cpu_ceil_div(segments, BLOCK_SEGMENTS);
    p->segments_per_block = segments < BLOCK_SEGMENTS ? segments : BLOCK_SEGMENTS;
    plan_tasks(k, threads, p);
    p->patch_w = sdw_cpu_ceil_div(p->tiles_w, p->x_parts);
    p->patch_h = sdw_cpu_ceil_div(p->tiles_h, p->y_parts);
    p->patch_lanes = sdw_cpu_ceil_div(shape->lanes, p->lane_groups);
    int tiles = p->patch_w * p->patch_h * p->patch_lanes, columns = TILE * p->patch_w + REACH - TILE, steps = p->segments_per_block * SDW_CPU_SEGMENT;
    p->strip_floats = (size_t)REACH * (size_t)columns * SDW_CPU_SEGMENT;
    p->v_floats = (size_t)segments * POINTS * (size_t)points_apart(tiles, SDW_CPU_SEGMENT);
    p->u_floats = (size_t)POINTS * (size_t)points_apart(steps, k->nr);
    p->m_floats = (size_t)POINTS * (size_t)points_apart(tiles, k->nr);
    p->wide_floats = (size_t)TAPS * SDW_CPU_SEGMENT * (size_t)k->nr;
    p->out_floats = (size_t)TILE * TILE * (size_t)p->patch_w * (size_t)k->nr;
    size_t floats = p->strip_floats + p->v_floats + p->u_floats + p->m_floats + p->wide_floats + p->out_floats + (size_t)columns;
    p->scratch_bytes = (floats * sizeof(float) + 7 * 64 + 4095) / 4096 * 4096;
    return true;
}

/* ---- one task ---- */

static void lay_out(work *k, char *scratch)
{
    const sdw_cpu_winograd *p = k->p;
    k->strip = sdw_cpu_carve(&scratch, p->strip_floats * sizeof(float));
    k->u = sdw_cpu_carve(&scratch, p->u_floats * sizeof(float));
    k->m = sdw_cpu_carve(&scratch, p->m_floats * sizeof(float));
    k->wide = sdw_cpu_carve(&scratch, p->wide_floats * sizeof(float));
    k->out = sdw_cpu_carve(&scratch, p->out_floats * sizeof(float));
    k->column = sdw_cpu_carve(&scratch, (size_t)(TILE * p->patch_w + REACH - TILE) * sizeof(int32_t));
    k->v = sdw_cpu_carve(&scratch, p->v_floats * sizeof(float));
}

/* Rows [first, last) of the strip of input rows that tile row y reads. */
static void pack_strip(work *k, int lane, int y, int first, int last, int segment)
{
    for (int i = first; i < last; i++)
        sdw_cpu_pack_row(k->k, &k->p->shape, k->o, k->strip + (ptrdiff_t)i * k->strip_w * SDW_CPU_SEGMENT, lane,
                         TILE * y + i - k->p->shape.pad_top, k->column, k->strip_w, segment);
}

/* Neighbouring tile rows share two input rows, which are packed once. */
static void transform_input(work *k)
{
    int overlap = REACH - TILE, w = k->x1 - k->x0;
    size_t row = (size_t)k->strip_w * SDW_CPU_SEGMENT;
    for (int segment = 0; segment < sdw_cpu_segments(&k->p->shape); segment++) {
        float *to = k->v + segment * k->v_segment;
        for (int lane = k->lane0; lane < k->lane1; lane++)
            for (int y = k->y0; y < k->y1; y++, to += (ptrdiff_t)w * SDW_CPU_SEGMENT) {
                if (y > k->y0) memcpy(k->strip, k->strip + TILE * row, (size_t)overlap * row * sizeof(float));
                pack_strip(k, lane, y, y > k->y0 ? overlap : 0, REACH, segment);
                k->k->winograd_input(to, k->v_point, k->strip, (ptrdiff_t)row, w);
            }
    }
}

/* One block of channels of a panel: [point][step][column]. */
static void transform_weights(work *k, int panel, int width, int segment0, int segment1, ptrdiff_t u_point)
{
    const sdw_weight *w = k->o->weight;
    for (int segment = segment0; segment < segment1; segment++) {
        ptrdiff_t n = (ptrdiff_t)sdw_cpu_segment_length(&k->p->shape, segment) * width;
        const char *at = sdw_cpu_panel_at(k->k, w, panel, width, (int64_t)segment * SDW_CPU_SEGMENT * TAPS);
        float *to = k->u + (ptrdiff_t)(segment - segment0) * SDW_CPU_SEGMENT * width;
        if (sdw_cpu_packed_dtype(w) == SDW_F16) k->k->winograd_weight_f16(to, u_point, (const uint16_t *)(const void *)at, n, (size_t)n);
        else k->k->winograd_weight(to, u_point, sdw_cpu_panel_f32(k->k, w, at, (size_t)(TAPS * n), k->wide), n, (size_t)n);
    }
}

/* The weights of the block after this one, or nothing. */
static const char *next_weights(const work *k, int panel, int block, size_t *ret_bytes)
{
    const sdw_weight *w = k->o->weight;
    if (++block == k->p->blocks) block = 0, panel++;
    if (panel == k->panel1) return NULL;
    int width = sdw_cpu_panel_width(k->k, w, panel);
    int64_t first = (int64_t)block * k->p->segments_per_block * SDW_CPU_SEGMENT, last = first + k->p->segments_per_block * SDW_CPU_SEGMENT;
    if (last > k->p->shape.channels) last = k->p->shape.channels;
    const char *at = sdw_cpu_panel_at(k->k, w, panel, width, first * TAPS);
    *ret_bytes = (size_t)(sdw_cpu_panel_at(k->k, w, panel, width, last * TAPS) - at);
    return at;
}

static void multiply_block(work *k, int panel, int width, int block)
{
    size_t next_bytes = 0;
    const char *next = next_weights(k, panel, block, &next_bytes);
    int segments = sdw_cpu_segments(&k->p->shape), segment0 = block * k->p->segments_per_block, segment1 = segment0 + k->p->segments_per_block;
    int steps = 0, groups = sdw_cpu_ceil_div(k->tiles, k->k->mr);
    sdw_cpu_tile_fn *const *kernel = width == k->k->nr ? k->k->tile : k->k->tile_half;
    sdw_cpu_runs runs = { .stride = SDW_CPU_SEGMENT };
    if (segment1 > segments) segment1 = segments;
    for (int segment = segment0; segment < segment1; segment++) {
        runs.offset[runs.count] = (int32_t)((segment - segment0) * k->v_segment);
        steps += runs.length[runs.count++] = sdw_cpu_segment_length(&k->p->shape, segment);
    }
    ptrdiff_t u_point = points_apart(steps, width);
    transform_weights(k, panel, width, segment0, segment1, u_point);
    for (int point = 0; point < POINTS; point++) {
        const float *a = k->v + segment0 * k->v_segment + point * k->v_point, *b = k->u + point * u_point;
        float *c = k->m + point * k->m_point;
        if (next) sdw_cpu_prefetch_part(next, next_bytes, POINTS, point);
        for (int i = 0; i < groups; i++) {
            int row = sdw_cpu_cut(k->tiles, groups, i), rows = sdw_cpu_cut(k->tiles, groups, i + 1) - row;
            kernel[rows](a + row * SDW_CPU_SEGMENT, b, c + row * width, &runs, block > 0);
        }
    }
}

static void transform_output(work *k, int panel, int width)
{
    const sdw_cpu_shape *s = &k->p->shape;
    int w = k->x1 - k->x0, x = k->x0 * TILE;
    const float *from = k->m;
    ptrdiff_t row = (ptrdiff_t)TILE * w * width;
    sdw_cpu_part part = { .width = width, .rows = s->w - x < TILE * w ? s->w - x : TILE * w, .panel = panel, .panel_outputs = k->k->nr };
    for (part.lane = k->lane0; part.lane < k->lane1; part.lane++)
        for (int y = k->y0; y < k->y1; y++, from += w * width) {
            k->k->winograd_output(k->out, row, from, k->m_point, w, width);
            for (int i = 0; i < TILE && TILE * y + i < s->h; i++) {
                part.c = k->out + i * row;
                part.out_row = ((int64_t)part.lane * s->h + TILE * y + i) * s->w + x;
                if (k->o->sums) sdw_cpu_finish_and_sum(k->k, k->o, &part, k->out + i * row, TILE * y + i, k->x_part);
                else sdw_cpu_finish_part(k->k, k->o, &part);
            }
        }
}

struct run {
    const sdw_cpu_kernels *k;
    const sdw_cpu_winograd *p;
    const sdw_cpu_operands *o;
    char *workspace;
};

static void run_task(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_winograd *p = r->p;
    work k = { .k = r->k, .p = p, .o = r->o };
    lay_out(&k, r->workspace + (size_t)thread * p->scratch_bytes);
    int panel = index % p->panel_parts, x = index / p->panel_parts % p->x_parts;
    int y = index / p->panel_parts / p->x_parts % p->y_parts, lane = index / p->panel_parts / p->x_parts / p->y_parts;
    k.panel0 = sdw_cpu_cut(p->panels, p->panel_parts, panel);
    k.panel1 = sdw_cpu_cut(p->panels, p->panel_parts, panel + 1);
    k.x_part = x;
    k.x0 = sdw_cpu_cut(p->tiles_w, p->x_parts, x);
    k.x1 = sdw_cpu_cut(p->tiles_w, p->x_parts, x + 1);
    k.y0 = sdw_cpu_cut(p->tiles_h, p->y_parts, y);
    k.y1 = sdw_cpu_cut(p->tiles_h, p->y_parts, y + 1);
    k.lane0 = sdw_cpu_cut(p->shape.lanes, p->lane_groups, lane);
    k.lane1 = sdw_cpu_cut(p->shape.lanes, p->lane_groups, lane + 1);
    k.tiles = (k.lane1 - k.lane0) * (k.y1 - k.y0) * (k.x1 - k.x0);
    k.strip_w = TILE * (k.x1 - k.x0) + REACH - TILE;
    k.v_point = points_apart(k.tiles, SDW_CPU_SEGMENT);
    k.v_segment = POINTS * k.v_point;
    for (int i = 0; i < k.strip_w; i++) k.column[i] = sdw_cpu_source_column(&p->shape, TILE * k.x0 + i - p->shape.pad_left);
    transform_input(&k);
    for (panel = k.panel0; panel < k.panel1; panel++) {
        int width = sdw_cpu_panel_width(k.k, k.o->weight, panel);
        k.m_point = points_apart(k.tiles, width);
        for (int block = 0; block < p->blocks; block++) multiply_block(&k, panel, width, block);
        transform_output(&k, panel, width);
    }
}

void sdw_cpu_winograd_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_winograd *p, const sdw_cpu_operands *o,
                          void *workspace, const atomic_bool *cancel)
{
    struct run r = { .k = k, .p = p, .o = o, .workspace = workspace };
    sdw_cpu_pool_run(pool, p->lane_groups * p->x_parts * p->y_parts * p->panel_parts, run_task, &r, cancel);
}
