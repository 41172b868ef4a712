/* operands.c - see operands.h. */
#include "cpu/operands.h"

#include <string.h>

#include "cpu/sums.h"
#include "cpu/weights.h"

int sdw_cpu_segments(const sdw_cpu_shape *s)
{
    return sdw_cpu_ceil_div(s->channels, SDW_CPU_SEGMENT);
}

int sdw_cpu_segment_length(const sdw_cpu_shape *s, int segment)
{
    int rest = s->channels - segment * SDW_CPU_SEGMENT;
    return rest < SDW_CPU_SEGMENT ? rest : SDW_CPU_SEGMENT;
}

int32_t sdw_cpu_source_column(const sdw_cpu_shape *s, int x)
{
    if (x < 0 || x >= s->in_w) return -1;
    return s->src_w == s->in_w ? x : (int32_t)((int64_t)x * s->src_w / s->in_w);
}

void sdw_cpu_pack_row(const sdw_cpu_kernels *k, const sdw_cpu_shape *s, const sdw_cpu_operands *o, float *dst, int lane, int y,
                      const int32_t *column, int count, int segment)
{
    int channel = segment * SDW_CPU_SEGMENT;
    sdw_cpu_gather g = { .src = o->in, .stride = o->in_stride, .index = column, .rows = count, .length = sdw_cpu_segment_length(s, segment) };
    if (y < 0 || y >= s->in_h) {
        memset(dst, 0, (size_t)count * SDW_CPU_SEGMENT * sizeof *dst);
        return;
    }
    int64_t row = ((int64_t)lane * s->src_h + (int64_t)y * s->src_h / s->in_h) * s->src_w;
    g.src += row * o->in_stride + channel;
    if (o->coeffs) {
        g.scale = o->coeffs + lane * o->coeffs_stride + channel;
        g.shift = g.scale + s->channels;
        g.act = o->pre_act;
    }
    k->gather(dst, &g);
}

const char *sdw_cpu_panel_at(const sdw_cpu_kernels *k, const sdw_weight *w, int panel, int width, int64_t first_step)
{
    size_t at = (size_t)panel * (size_t)k->nr * (size_t)(w->in * w->k * w->k) + (size_t)first_step * (size_t)width;
    return (const char *)w->packed + at * sdw_dtype_size(sdw_cpu_packed_dtype(w));
}

const float *sdw_cpu_panel_f32(const sdw_cpu_kernels *k, const sdw_weight *w, const char *at, size_t count, float *scratch)
{
    sdw_dtype t = sdw_cpu_packed_dtype(w);
    if (t == SDW_F32) return (const float *)(const void *)at;
    sdw_cpu_widen_fn *widen = t == SDW_F16 ? k->widen_f16 : k->widen_bf16;
    widen(scratch, (const uint16_t *)(const void *)at, count);
    return scratch;
}

/* All of a part but a GLU pair's. */
static sdw_cpu_finish describe(const sdw_cpu_operands *o, const sdw_cpu_part *part)
{
    const sdw_weight *w = o->weight;
    bool glu = w->role == SDW_ROLE_GLU;
    int first = part->panel * part->panel_outputs, total = (int)sdw_cpu_outputs(w);
    sdw_cpu_finish f = { .c = part->c, .width = part->width, .rows = part->rows, .out = o->out + part->out_row * o->out_stride + first,
                         .out_stride = o->out_stride, .act = o->act, .rough = o->rough };
    if (part->out) {
        f.out = part->out;
        f.out_stride = part->out_stride;
    }
    f.columns = total - first < part->panel_outputs ? total - first : part->panel_outputs;
    f.bias = o->bias ? o->bias + first : NULL;
    if (glu) {
        f.lane = o->bias ? o->bias + total + first : NULL;
        return f;
    }
    f.lane = o->lane_add ? o->lane_add + part->lane * o->lane_add_stride + first : NULL;
    f.residual = o->residual ? o->residual + part->out_row * o->residual_stride + first : NULL;
    f.residual_stride = o->residual_stride;
    return f;
}

void sdw_cpu_finish_part(const sdw_cpu_kernels *k, const sdw_cpu_operands *o, const sdw_cpu_part *part)
{
    sdw_cpu_finish f = describe(o, part);
    f.stream = o->stream;
    if (o->weight->role == SDW_ROLE_GLU) k->finish_glu(&f);
    else k->finish(&f);
}

static void add_to_cell(const sdw_cpu_kernels *k, const sdw_cpu_operands *o, const sdw_cpu_part *part, const sdw_cpu_finish *f, int y, int x)
{
    int total = (int)o->weight->out;
    double *sum = sdw_cpu_sums_cell(o->sums, part->lane, y / SDW_SUMS_ROWS, x) + part->panel * part->panel_outputs, *square = sum + total;
    if (y % SDW_SUMS_ROWS == 0) {
        memset(sum, 0, (size_t)f->columns * sizeof *sum);
        memset(square, 0, (size_t)f->columns * sizeof *square);
    }
    k->moments(f->out, f->out_stride, part->rows, f->columns, sum, square);
}

/* What is written around the caches is summed first, where it lies in scratch. Adding no bias to it then changes no bit: a sum with
 * a zero in it is never the negative zero. */
void sdw_cpu_finish_and_sum(const sdw_cpu_kernels *k, const sdw_cpu_operands *o, const sdw_cpu_part *part, float *c, int y, int x)
{
    sdw_cpu_finish f = describe(o, part);
    if (o->stream) {
        f.out = c;
        f.out_stride = f.width;
    }
    k->finish(&f);
    add_to_cell(k, o, part, &f, y, x);
    if (!o->stream) return;
    sdw_cpu_finish move = describe(o, part);
    move = (sdw_cpu_finish){ .c = c, .width = f.width, .rows = f.rows, .columns = f.columns, .out = move.out, .out_stride = move.out_stride, .stream = true };
    k->finish(&move);
}
