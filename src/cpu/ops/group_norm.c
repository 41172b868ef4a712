/* group_norm.c - statistics of a group norm, left as one scale and shift per channel; whoever reads x next applies them.
 * Sums are taken in double over parts of x that depend on its shape alone, then added in order: the same bytes for any number of
 * threads, and no cancellation worth naming for any mean. The parts are the cells that the writer of x left (sums.h), else
 * chunks of rows that are read here. */
#include <math.h>
#include <string.h>

#include "cpu/sums.h"

enum { CHUNKS_MAX = 64, CHUNK_ROWS_MIN = 64 };

static int chunk_count(const sdw_tensor *x)
{
    int rows = x->h * x->w, n = (rows + CHUNK_ROWS_MIN - 1) / CHUNK_ROWS_MIN;
    return n < CHUNKS_MAX ? n : CHUNKS_MAX;
}

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    (void)k, (void)threads, (void)arena, (void)err;
    if (!op->in2) op->workspace = (size_t)op->in->n * (size_t)chunk_count(op->in) * 2 * (size_t)op->in->c * sizeof(double);
    return SDW_OK;
}

static double *chunk_sums(const sdw_cpu_call *c, int lane, int chunk)
{
    return (double *)c->workspace + ((size_t)lane * (size_t)chunk_count(c->op->in) + (size_t)chunk) * 2 * (size_t)c->op->in->c;
}

static void sum_chunk(void *ctx, int index, int thread)
{
    const sdw_cpu_call *c = ctx;
    const sdw_tensor *x = c->op->in;
    int chunks = chunk_count(x), lane = index / chunks, chunk = index % chunks;
    int64_t rows = (int64_t)x->h * x->w, first = rows * chunk / chunks, last = rows * (chunk + 1) / chunks;
    double *sum = chunk_sums(c, lane, chunk);
    (void)thread;
    memset(sum, 0, 2 * (size_t)x->c * sizeof *sum);
    c->k->moments(sdw_cpu_row(x, lane * rows + first), x->row_stride, (int)(last - first), x->c, sum, sum + x->c);
}

/* Parts of one lane, each 2 * channels doubles, one behind the other. */
static const double *parts_of(const sdw_cpu_call *c, int lane, int *ret_count)
{
    const sdw_tensor *sums = c->op->in2;
    *ret_count = sums ? sums->h * sums->w : chunk_count(c->op->in);
    return sums ? sdw_cpu_sums_cell(sums, lane, 0, 0) : chunk_sums(c, lane, 0);
}

static void finish_group(void *ctx, int index, int thread)
{
    const sdw_cpu_call *c = ctx;
    const sdw_norm_args *a = &c->op->args.norm;
    const sdw_tensor *x = c->op->in;
    const float *gamma = a->gamma->packed, *beta = a->beta->packed;
    int lane = index / a->groups, group = index % a->groups;
    float *scale = sdw_cpu_row(c->op->out, lane), *shift = scale + x->c;
    (void)thread;
    int width = x->c / a->groups, first = group * width, parts;
    const double *s = parts_of(c, lane, &parts);
    double sum = 0, square = 0, n = (double)x->h * x->w * width;
    for (int part = 0; part < parts; part++, s += 2 * x->c)
        for (int i = first; i < first + width; i++) {
            sum += s[i];
            square += s[x->c + i];
        }
    double mean = sum / n, variance = square / n - mean * mean;
    double rstd = 1 / sqrt((variance > 0 ? variance : 0) + (double)a->eps);
    if (!isfinite(mean) || !isfinite(square)) rstd = NAN; /* not finite in, not finite out */
    for (int i = first; i < first + width; i++) {
        scale[i] = (float)(gamma[i] * rstd);
        shift[i] = (float)(beta[i] - mean * gamma[i] * rstd);
    }
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    (void)err;
    int lanes = c->op->in->n;
    if (!c->op->in2) sdw_cpu_pool_run(c->pool, lanes * chunk_count(c->op->in), sum_chunk, (void *)c, c->cancel);
    sdw_cpu_pool_run(c->pool, lanes * c->op->args.norm.groups, finish_group, (void *)c, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_group_norm = { prepare, run };
