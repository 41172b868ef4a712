/* matmul.c - see matmul.h. */
#include "cpu/matmul.h"

#include "cpu/weights.h"

enum {
    B_FLOATS = 160 << 10, /* 640 KiB of widened weights, the larger part of a core's level-2 cache */
    ROWS_AIM = 768,       /* enough to hide the widening */
    ROWS_LEAST = 128,
    LINE = 64,            /* bytes */
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

static void plan_tasks(const sdw_cpu_kernels *k, int threads, sdw_cpu_matmul *p)
{
    p->group = B_FLOATS / (p->steps * k->nr);
    if (p->group < 1) p->group = 1;
    if (p->group > p->panels) p->group = p->panels;
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
    plan_tasks(k, threads, p);
    p->b_floats = (size_t)p->group * (size_t)p->steps * (size_t)k->nr;
    p->scratch_bytes = ((p->b_floats + (size_t)(k->mr * k->nr)) * sizeof(float) + (size_t)p->group * sizeof(float *) + 3 * LINE + 4095) / 4096 * 4096;
}

/* ---- one task ---- */

typedef struct work {
    const sdw_cpu_kernels *k;
    const sdw_cpu_matmul *p;
    const sdw_cpu_operands *o;
    float *b, *c;
    const float **panel; /* of the group, widened */
    int row0, row1, panel0, panel1;
} work;

static int width_of(const work *k, int panel)
{
    return sdw_cpu_panel_width(k->k, k->o->weight, panel);
}

static void widen_group(work *k, int first, int count)
{
    for (int i = 0; i < count; i++) {
        int width = width_of(k, first + i);
        const char *at = sdw_cpu_panel_at(k->k, k->o->weight, first + i, width, 0);
        size_t values = (size_t)k->p->steps * (size_t)width;
        k->panel[i] = sdw_cpu_panel_f32(k->k, k->o->weight, at, values, k->b + (ptrdiff_t)i * k->p->steps * k->k->nr);
    }
}

static void multiply_tile(const work *k, int row, int rows, int panel, const float *b)
{
    const sdw_cpu_matmul *p = k->p;
    int width = width_of(k, panel);
    sdw_cpu_tile_fn *kernel = width == k->k->nr ? k->k->tile[rows] : k->k->tile_half[rows];
    sdw_cpu_runs runs = { .stride = k->o->in_stride, .count = 1 };
    sdw_cpu_part part = { .c = k->c, .width = width, .rows = rows, .panel = panel, .panel_outputs = p->panel_outputs, .out_row = row };
    sdw_cpu_prefetch_residual(k->o, &part);
    for (int block = 0; block < p->blocks; block++) {
        int first = block * p->steps_per_block;
        runs.length[0] = p->steps - first < p->steps_per_block ? p->steps - first : p->steps_per_block;
        kernel(k->o->in + row * k->o->in_stride + first, b + (ptrdiff_t)first * width, k->c, &runs, block > 0);
    }
    sdw_cpu_finish_part(k->k, k->o, &part);
}

/* All rows past one group of panels; the next group's weights come closer meanwhile. */
static void multiply_group(work *k, int first, int count)
{
    int tiles = sdw_cpu_ceil_div(k->row1 - k->row0, k->k->mr), next = first + count;
    int more = k->panel1 - next < count ? k->panel1 - next : count;
    const char *at = more > 0 ? sdw_cpu_panel_at(k->k, k->o->weight, next, width_of(k, next), 0) : NULL;
    size_t bytes = more > 0 ? (size_t)(sdw_cpu_panel_at(k->k, k->o->weight, next + more - 1, width_of(k, next + more - 1), k->p->steps) - at) : 0;
    widen_group(k, first, count);
    for (int i = 0; i < tiles; i++) {
        int row = k->row0 + sdw_cpu_cut(k->row1 - k->row0, tiles, i), end = k->row0 + sdw_cpu_cut(k->row1 - k->row0, tiles, i + 1);
        for (int j = 0; j < count; j++) {
            if (at) sdw_cpu_prefetch_part(at, bytes, tiles * count, i * count + j);
            multiply_tile(k, row, end - row, first + j, k->panel[j]);
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
    work k = { .k = r->k, .p = p, .o = r->o };
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
