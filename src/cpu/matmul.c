/* matmul.c - see matmul.h. */
#include "cpu/matmul.h"

#include <limits.h>

#include "cpu/weights.h"

enum {
    GROUP_BYTES = 480 << 10, /* weights of a group of panels as tiles read them: half of a core's level-2 cache */
    ROWS_AIM = 768,          /* enough to hide what a group costs once */
    ROWS_LEAST = 128,
    LINE = 64,               /* bytes */
    ROW_LINE_STEPS = 2,      /* least steps for each line of the next rows: more of them would push out what this tile reads */
    EVERY_MOST = 16,         /* steps between two lines asked for; the more even, the less they wait for each other */
};

/* ---- planning ---- */

static void plan_blocks(const sdw_cpu_kernels *k, sdw_cpu_matmul *p)
{
    int segments = sdw_cpu_ceil_div(p->steps, SDW_CPU_SEGMENT), per = k->steps_max / SDW_CPU_SEGMENT;
    if (per < 1) per = 1;
    p->blocks = sdw_cpu_ceil_div(segments, per);
    p->steps_per_block = sdw_cpu_ceil_div(segments, p->blocks) * SDW_CPU_SEGMENT;
    p->blocks = sdw_cpu_ceil_div(p->steps, p->steps_per_block);
}

/* Panels that tiles read as they are packed; the others are widened before. */
static bool reads_packed(const sdw_cpu_kernels *k, const sdw_weight *w, int width)
{
    return sdw_cpu_packed_dtype(w) == SDW_F32 || (k->widen_in_tile && width == k->nr);
}

static void plan_group(const sdw_cpu_kernels *k, const sdw_weight *w, sdw_cpu_matmul *p)
{
    bool packed = reads_packed(k, w, k->nr);
    size_t panel = (size_t)p->steps * (size_t)k->nr, item = packed ? sdw_dtype_size(sdw_cpu_packed_dtype(w)) : sizeof(float);
    p->group = (int)(GROUP_BYTES / (panel * item));
    if (p->group < 1) p->group = 1;
    if (p->group > p->panels) p->group = p->panels;
    int last = sdw_cpu_panel_width(k, w, p->panels - 1);
    p->b_floats = !packed ? panel * (size_t)p->group : reads_packed(k, w, last) ? 0 : (size_t)p->steps * (size_t)last;
}

static void plan_tasks(const sdw_cpu_kernels *k, int threads, sdw_cpu_matmul *p)
{
    p->panel_parts = 1;
    p->row_parts = sdw_cpu_ceil_div(p->rows, ROWS_AIM);
    while (sdw_cpu_imbalance(p->row_parts * p->panel_parts, threads) >= 1.06) {
        if (p->rows / (p->row_parts + 1) >= ROWS_LEAST && p->row_parts < 4 * threads) p->row_parts++;
        else if (p->panel_parts * 2 <= p->panels) p->panel_parts++;
        else if (p->rows / (p->row_parts + 1) >= k->mr && p->row_parts < 4 * threads) p->row_parts++;
        else break;
    }
}

void sdw_cpu_matmul_plan(const sdw_cpu_kernels *k, int rows, const sdw_weight *w, int threads, sdw_cpu_matmul *p)
{
    *p = (sdw_cpu_matmul){ .rows = rows, .steps = (int)w->in, .panels = sdw_cpu_panel_count(k, w), .panel_outputs = sdw_cpu_panel_outputs(k, w) };
    plan_blocks(k, p);
    plan_group(k, w, p);
    plan_tasks(k, threads, p);
    p->scratch_bytes = ((p->b_floats + (size_t)(k->mr * k->nr)) * sizeof(float) + (size_t)p->group * sizeof(void *) + 3 * LINE + 4095) / 4096 * 4096;
}

/* ---- one task ---- */

typedef struct work {
    const sdw_cpu_kernels *k;
    const sdw_cpu_matmul *p;
    const sdw_cpu_operands *o;
    sdw_cpu_linear_fn *const *kernel; /* of panels that are `nr` wide, by rows */
    size_t item;                      /* bytes of a weight as the kernel reads it */
    float *b, *c;
    const void **panel;               /* of the group */
    int row0, row1, panel0, panel1;
    sdw_cpu_ahead ahead;
} work;

/* What is asked for ahead, in this order. */
enum { NEXT_ROWS, NEXT_PANELS, RESIDUAL, OUTPUT, AREAS };

static int width_of(const work *k, int panel)
{
    return sdw_cpu_panel_width(k->k, k->o->weight, panel);
}

static void choose_kernel(work *k)
{
    sdw_dtype t = reads_packed(k->k, k->o->weight, k->k->nr) ? sdw_cpu_packed_dtype(k->o->weight) : SDW_F32;
    k->kernel = t == SDW_F16 ? k->k->linear_f16 : t == SDW_BF16 ? k->k->linear_bf16 : k->k->linear_f32;
    k->item = sdw_dtype_size(t);
}

static void place_group(work *k, int first, int count)
{
    float *to = k->b;
    for (int i = 0; i < count; i++) {
        int width = width_of(k, first + i);
        const char *at = sdw_cpu_panel_at(k->k, k->o->weight, first + i, width, 0);
        size_t values = (size_t)k->p->steps * (size_t)width;
        k->panel[i] = at;
        if (reads_packed(k->k, k->o->weight, width)) continue;
        k->panel[i] = sdw_cpu_panel_f32(k->k, k->o->weight, at, values, to);
        to += values;
    }
}

/* ---- fetching ahead ---- */

static sdw_cpu_area rows_area(const float *at, ptrdiff_t stride, int rows, int columns)
{
    int width = sdw_cpu_ceil_div(columns * (int)sizeof(float), LINE);
    return (sdw_cpu_area){ .at = (const char *)at, .jump = stride * (ptrdiff_t)sizeof(float) - width * LINE, .width = width, .lines = rows * width };
}

/* An area that is asked for in equal parts: `left` lines are not yet in its own list. */
typedef struct parted {
    sdw_cpu_area *area;
    int part, left;
} parted;

static parted in_parts(sdw_cpu_area *area, int parts)
{
    parted p = { .area = area, .part = sdw_cpu_ceil_div(area->lines, parts), .left = area->lines };
    area->lines = 0;
    return p;
}

static void take_part(parted *p)
{
    int lines = p->part < p->left ? p->part : p->left;
    p->area->lines += lines;
    p->left -= lines;
}

static void look_at_output(work *k, int row, int rows, int panel)
{
    const sdw_cpu_operands *o = k->o;
    int outputs = k->p->panel_outputs, column = panel * outputs;
    k->ahead.area[OUTPUT] = rows_area(o->out + row * o->out_stride + column, o->out_stride, rows, outputs);
    if (o->residual && o->residual != o->out)
        k->ahead.area[RESIDUAL] = rows_area(o->residual + row * o->residual_stride + column, o->residual_stride, rows, outputs);
}

/* Steps from line to line, so that `lines` lines fit into a tile; the end of a block may leave one over. */
static int pace(const sdw_cpu_matmul *p, int lines)
{
    int every = p->steps / (lines + p->blocks);
    return every < 1 ? 1 : every > EVERY_MOST ? EVERY_MOST : every;
}

/* ---- tiles ---- */

/* The last panel, where it is half as wide. */
static void multiply_half(const work *k, int row, int rows, const float *b)
{
    sdw_cpu_runs runs;
    runs.stride = k->o->in_stride;
    runs.count = 1;
    for (int first = 0; first < k->p->steps; first += k->p->steps_per_block) {
        int left = k->p->steps - first;
        runs.offset[0] = first;
        runs.length[0] = left < k->p->steps_per_block ? left : k->p->steps_per_block;
        k->k->tile_half[rows](k->o->in + row * k->o->in_stride, b + (ptrdiff_t)first * (k->k->nr / 2), k->c, &runs, first > 0);
    }
}

static void multiply_whole(work *k, int row, int rows, const char *b)
{
    sdw_cpu_linear l = { .stride = k->o->in_stride, .c = k->c, .ahead = &k->ahead };
    for (int first = 0; first < k->p->steps; first += k->p->steps_per_block) {
        int left = k->p->steps - first;
        l.a = k->o->in + row * k->o->in_stride + first;
        l.b = b + (size_t)first * (size_t)k->k->nr * k->item;
        l.steps = left < k->p->steps_per_block ? left : k->p->steps_per_block;
        l.add = first > 0;
        k->kernel[rows](&l);
    }
}

static void multiply_tile(work *k, int row, int rows, int panel, const void *b)
{
    int width = width_of(k, panel);
    look_at_output(k, row, rows, panel);
    if (width == k->k->nr) multiply_whole(k, row, rows, b);
    else multiply_half(k, row, rows, b);
    sdw_cpu_part part = { .c = k->c, .width = width, .rows = rows, .panel = panel, .panel_outputs = k->p->panel_outputs, .out_row = row };
    sdw_cpu_finish_part(k->k, k->o, &part);
}

/* The next group's panels, which lie one behind the other. */
static sdw_cpu_area panels_area(const work *k, int first, int count)
{
    if (count < 1) return (sdw_cpu_area){ 0 };
    const sdw_weight *w = k->o->weight;
    const char *at = sdw_cpu_panel_at(k->k, w, first, width_of(k, first), 0);
    const char *end = sdw_cpu_panel_at(k->k, w, first + count - 1, width_of(k, first + count - 1), k->p->steps);
    return (sdw_cpu_area){ .at = at, .width = INT_MAX, .lines = (int)((end - at) / LINE) };
}

/* All rows past one group of panels; the next rows and the next group's weights come closer meanwhile. */
static void multiply_group(work *k, int first, int count)
{
    int rows = k->row1 - k->row0, tiles = sdw_cpu_ceil_div(rows, k->k->mr), next = first + count;
    sdw_cpu_area *area = k->ahead.area;
    area[NEXT_PANELS] = panels_area(k, next, k->panel1 - next < count ? k->panel1 - next : count);
    parted panels = in_parts(&area[NEXT_PANELS], tiles * count);
    place_group(k, first, count);
    for (int i = 0; i < tiles; i++) {
        int at = sdw_cpu_cut(rows, tiles, i), end = sdw_cpu_cut(rows, tiles, i + 1), after = i + 1 < tiles ? sdw_cpu_cut(rows, tiles, i + 2) : end;
        area[NEXT_ROWS] = rows_area(k->o->in + (k->row0 + end) * k->o->in_stride, k->o->in_stride, after - end, k->p->steps);
        if (area[NEXT_ROWS].lines / count > k->p->steps / ROW_LINE_STEPS) area[NEXT_ROWS].lines = 0;
        parted next_rows = in_parts(&area[NEXT_ROWS], count);
        k->ahead.every = pace(k->p, next_rows.part + panels.part + 2 * (k->o->residual ? 2 : 1) * (end - at));
        for (int j = 0; j < count; j++) {
            take_part(&next_rows);
            take_part(&panels);
            multiply_tile(k, k->row0 + at, end - at, first + j, k->panel[j]);
        }
    }
}

struct run {
    const sdw_cpu_kernels *k;
    const sdw_cpu_matmul *p;
    const sdw_cpu_operands *o;
    char *workspace;
};

static void run_task(void *ctx, int index, int thread)
{
    const struct run *r = ctx;
    const sdw_cpu_matmul *p = r->p;
    char *scratch = r->workspace + (size_t)thread * p->scratch_bytes;
    work k = { .k = r->k, .p = p, .o = r->o, .ahead.count = AREAS };
    choose_kernel(&k);
    k.b = sdw_cpu_carve(&scratch, p->b_floats * sizeof(float));
    k.c = sdw_cpu_carve(&scratch, (size_t)(r->k->mr * r->k->nr) * sizeof(float));
    k.panel = sdw_cpu_carve(&scratch, (size_t)p->group * sizeof *k.panel);
    int panels = index % p->panel_parts, rows = index / p->panel_parts;
    k.panel0 = sdw_cpu_cut(p->panels, p->panel_parts, panels);
    k.panel1 = sdw_cpu_cut(p->panels, p->panel_parts, panels + 1);
    k.row0 = sdw_cpu_cut(p->rows, p->row_parts, rows);
    k.row1 = sdw_cpu_cut(p->rows, p->row_parts, rows + 1);
    for (int panel = k.panel0; panel < k.panel1; panel += p->group)
        multiply_group(&k, panel, k.panel1 - panel < p->group ? k.panel1 - panel : p->group);
}

void sdw_cpu_matmul_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_matmul *p, const sdw_cpu_operands *o,
                        void *workspace, const atomic_bool *cancel)
{
    struct run r = { .k = k, .p = p, .o = o, .workspace = workspace };
    sdw_cpu_pool_run(pool, p->row_parts * p->panel_parts, run_task, &r, cancel);
}
