/* rows.c - sharing out the rows of ops that treat each row alone. */
#include "cpu/ops.h"

enum { CHUNK_VALUES = 1 << 14 }; /* some microseconds of work */

struct rows {
    const sdw_cpu_call *call;
    sdw_cpu_row_fn *fn;
    int64_t rows, per_chunk;
};

static void run_chunk(void *ctx, int index, int thread)
{
    const struct rows *r = ctx;
    int64_t first = index * r->per_chunk, last = first + r->per_chunk;
    (void)thread;
    for (int64_t i = first; i < last && i < r->rows; i++) r->fn(r->call, i);
}

void sdw_cpu_each_row(const sdw_cpu_call *c, int64_t rows, int64_t values_per_row, sdw_cpu_row_fn *fn)
{
    struct rows r = { .call = c, .fn = fn, .rows = rows, .per_chunk = CHUNK_VALUES / values_per_row + 1 };
    sdw_cpu_pool_run(c->pool, (int)((rows + r.per_chunk - 1) / r.per_chunk), run_chunk, &r, c->cancel);
}
