/* linear_lanes.h - the products of linear layers at the width of an instruction set. A tile is `rows` rows times 2 vectors, the
 * panel is read in the weights' own type: what turns it into f32 fits between the multiply-adds. Memory that is wanted next is
 * asked for a line at a time: in one burst the requests wait for each other, and the tile for them.
 *
 * Included by one file per instruction set, behind its vectors (avx2_lanes.h, avx512_lanes.h); it defines SDW_LINEAR_EACH_ROWS(X), X of
 * every number of rows. Nothing without them. */
#ifndef SDW_CPU_LINEAR_LANES_H
#define SDW_CPU_LINEAR_LANES_H

#ifdef SDW_LINEAR_EACH_ROWS

#include "cpu/kernels.h"

enum { LINE = 64 };

typedef enum kind { F32, F16, BF16 } kind;

/* Every fourth row has a pointer of its own, see tile() of kernels_avx512.c. */
typedef struct place {
    const float *row0, *row4, *row8, *row12;
    const char *b;
} place;

SDW_INLINE lanes weights(const kind type, const char *b, int first)
{
    if (type == F16) return load_f16((const uint16_t *)(const void *)b + first);
    if (type == BF16) return load_bf16((const uint16_t *)(const void *)b + first);
    return load((const float *)(const void *)b + first);
}

/* Up to and without the step of row 0 at `end`; at least one. */
SDW_INLINE void add_steps(const int rows, const kind type, ptrdiff_t stride, place *p, const float *end, lanes sum[SDW_CPU_ROWS_MAX][2])
{
    do {
        lanes b0 = weights(type, p->b, 0), b1 = weights(type, p->b, LANES);
        SDW_UNROLL
        for (int r = 0; r < rows; r++) {
            lanes v = spread((r >= 12 ? p->row12 : r >= 8 ? p->row8 : r >= 4 ? p->row4 : p->row0)[r % 4 * stride]);
            sum[r][0] = madd(v, b0, sum[r][0]);
            sum[r][1] = madd(v, b1, sum[r][1]);
        }
        p->row0++, p->row4++, p->row8++, p->row12++;
        p->b += 2 * LANES * (type == F32 ? sizeof(float) : sizeof(uint16_t));
    } while (p->row0 < end);
}

/* The next line of an area, which moves on. */
SDW_INLINE void ask_for_line(sdw_cpu_area *area)
{
    __builtin_prefetch(area->at, 0, 3);
    area->at += LINE;
    if (++area->column < area->width) return;
    area->column = 0;
    area->at += area->jump;
}

SDW_INLINE void multiply(const int rows, const kind type, const sdw_cpu_linear *l)
{
    lanes sum[SDW_CPU_ROWS_MAX][2];
    ptrdiff_t stride = l->stride;
    const float *a = l->a, *end = a + l->steps;
    place p = { a, a + 4 * stride, a + 8 * stride, a + 12 * stride, l->b };
    int every = l->ahead->every;
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = spread(0);
    for (sdw_cpu_area *area = l->ahead->area, *last = area + l->ahead->count; area < last; area++) {
        int room = (int)(end - p.row0) / every, lines = area->lines < room ? area->lines : room;
        area->lines -= lines;
        for (; lines > 0; lines--) {
            ask_for_line(area);
            add_steps(rows, type, stride, &p, p.row0 + every, sum);
        }
    }
    if (p.row0 < end) add_steps(rows, type, stride, &p, end, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = l->c + (2 * r + j) * LANES;
            store(to, l->add ? plus(load(to), sum[r][j]) : sum[r][j]);
        }
}

#define DEFINE(n)                                          \
    static void linear_f32_##n(const sdw_cpu_linear *l)    \
    {                                                      \
        multiply(n, F32, l);                               \
    }                                                      \
    static void linear_f16_##n(const sdw_cpu_linear *l)    \
    {                                                      \
        multiply(n, F16, l);                               \
    }                                                      \
    static void linear_bf16_##n(const sdw_cpu_linear *l)   \
    {                                                      \
        multiply(n, BF16, l);                              \
    }
SDW_LINEAR_EACH_ROWS(DEFINE)
#undef DEFINE

static void enter(sdw_cpu_kernels *k)
{
#define ENTER(n)                         \
    k->linear_f32[n] = linear_f32_##n;   \
    k->linear_f16[n] = linear_f16_##n;   \
    k->linear_bf16[n] = linear_bf16_##n;
    SDW_LINEAR_EACH_ROWS(ENTER)
#undef ENTER
}

#endif
#endif
