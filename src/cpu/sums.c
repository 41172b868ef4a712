/* sums.c - see sums.h. */
#include "cpu/sums.h"

#include <string.h>

#include "cpu/operands.h"

struct taking {
    const sdw_cpu_kernels *k;
    const sdw_tensor *x, *sums;
};

/* One row of cells. */
static void take_cells(void *ctx, int index, int thread)
{
    const struct taking *t = ctx;
    const sdw_tensor *x = t->x;
    int lane = index / t->sums->h, i = index % t->sums->h, fours = sdw_cpu_ceil_div(x->w, SDW_SUMS_ROWS);
    (void)thread;
    for (int j = 0; j < t->sums->w; j++) {
        double *sum = sdw_cpu_sums_cell(t->sums, lane, i, j);
        int x0 = SDW_SUMS_ROWS * sdw_cpu_cut(fours, t->sums->w, j), x1 = SDW_SUMS_ROWS * sdw_cpu_cut(fours, t->sums->w, j + 1);
        if (x1 > x->w) x1 = x->w;
        memset(sum, 0, 2 * (size_t)x->c * sizeof *sum);
        for (int y = SDW_SUMS_ROWS * i; y < SDW_SUMS_ROWS * (i + 1) && y < x->h; y++)
            t->k->moments(sdw_cpu_row(x, ((int64_t)lane * x->h + y) * x->w + x0), x->row_stride, x1 - x0, x->c, sum, sum + x->c);
    }
}

void sdw_cpu_take_sums(const sdw_cpu_call *c, const sdw_tensor *x, const sdw_tensor *sums)
{
    struct taking t = { .k = c->k, .x = x, .sums = sums };
    sdw_cpu_pool_run(c->pool, sums->n * sums->h, take_cells, &t, c->cancel);
}
