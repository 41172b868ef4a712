/* narrow_weights.c - weights in a narrow arithmetic: which, and their panels. */
#include <math.h>
#include <string.h>

#include "cpu/narrow_product.h"
#include "cpu/weights.h"

enum { TAPS_MAX = 9, CHUNK = SDW_CPU_NARROW_BLOCK * TAPS_MAX, BYTES = 2 /* of an element, at most */ };

bool sdw_cpu_narrow_takes(const sdw_cpu_kernels *k, const sdw_weight *w)
{
    const sdw_cpu_narrow *n = k->narrow;
    if (!n || !w->narrowest || w->narrowest > 8 * n->size || (w->skip && n->spares_skips)) return false;
    if (w->role == SDW_ROLE_CONV) return w->k == 1 || !n->winograd_wins;
    return w->role == SDW_ROLE_MATRIX || w->role == SDW_ROLE_GLU;
}

size_t sdw_cpu_narrow_packed_bytes(const sdw_cpu_kernels *k, const sdw_weight *w)
{
    return (size_t)sdw_cpu_panel_count(k, w) * sdw_cpu_narrow_panel_bytes(k->narrow, (int)w->in, w->k * w->k);
}

/* Output row behind row r of a panel, -1 where there is none. */
static int64_t output_of(const sdw_cpu_kernels *k, const sdw_weight *w, int panel, int r)
{
    int per = sdw_cpu_panel_outputs(k, w);
    int64_t half = sdw_cpu_outputs(w), o = (int64_t)panel * per + r % per;
    return o < half ? o + r / per * half : -1;
}

/* Largest size among the weights of an output. */
static float largest(const sdw_cpu_kernels *k, const sdw_weight *w, int64_t o, float *wide)
{
    int64_t steps = w->in * w->k * w->k;
    float most = 0;
    for (int64_t first = 0; first < steps; first += CHUNK) {
        int count = (int)(steps - first < CHUNK ? steps - first : CHUNK);
        sdw_cpu_weight_row(k, w, o, first, count, wide);
        for (int i = 0; i < count; i++) most = fabsf(wide[i]) > most ? fabsf(wide[i]) : most;
    }
    return most;
}

/* What a panel is made in. */
typedef struct packer {
    float wide[CHUNK];
    unsigned char file[CHUNK * BYTES];  /* a row's weights of a block in the file's order: channel, then tap */
    unsigned char rows[SDW_CPU_COLUMNS_MAX][CHUNK * BYTES]; /* tap, column by column, then channel, padded */
    float inverse[SDW_CPU_COLUMNS_MAX];
    int32_t order[SDW_CPU_NARROW_BLOCK];
} packer;

/* Tap `tap` of `count` channels, elements of 1 or 2 bytes. */
static void pick_tap(void *dst, const void *file, int count, int taps, int tap, int size)
{
    if (taps == 1) memcpy(dst, file, (size_t)(count * size));
    else if (size == 1)
        for (int c = 0; c < count; c++) ((uint8_t *)dst)[c] = ((const uint8_t *)file)[c * taps + tap];
    else
        for (int c = 0; c < count; c++) ((uint16_t *)dst)[c] = ((const uint16_t *)file)[c * taps + tap];
}

static void load_block(const sdw_cpu_kernels *k, const sdw_weight *w, int panel, int channel, int steps, packer *p)
{
    const sdw_cpu_narrow *n = k->narrow;
    int taps = w->k * w->k, padded = sdw_cpu_narrow_padded(n, steps);
    for (int r = 0; r < n->nr; r++) {
        int64_t o = output_of(k, w, panel, r);
        memset(p->rows[r], 0, (size_t)(taps * padded * n->size));
        if (o < 0) continue;
        sdw_cpu_weight_row(k, w, o, (int64_t)channel * taps, steps * taps, p->wide);
        n->weights(p->file, p->wide, (size_t)(steps * taps), p->inverse[r]);
        for (int tap = 0; tap < taps; tap++) pick_tap(p->rows[r] + tap * padded * n->size, p->file, steps, taps, tap % w->k * w->k + tap / w->k, n->size);
    }
}

static float sum_of(const int8_t *v, int count)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++) sum += v[i];
    return (float)sum;
}

/* Rows of a block into runs; groups of steps are what the panel kernels move. */
static char *write_runs(const sdw_cpu_kernels *k, int taps, int padded, packer *p, char *to)
{
    const sdw_cpu_narrow *n = k->narrow;
    int item = n->group * n->size, columns = padded / n->group;
    for (int tap = 0; tap < taps; tap++) {
        const unsigned char *from = p->rows[0] + tap * padded * n->size;
        if (n->scaled) {
            for (int r = 0; r < n->nr; r++) ((float *)(void *)to)[r] = sum_of((const int8_t *)p->rows[r] + tap * padded, padded);
            to += (size_t)n->nr * sizeof(float);
        }
        (item == 2 ? k->panel16 : k->panel32)(to, n->nr, p->order, from, (ptrdiff_t)sizeof p->rows[0] / item, n->nr, columns);
        to += (size_t)n->nr * (size_t)padded * (size_t)n->size;
    }
    return to;
}

void sdw_cpu_narrow_pack_panel(const sdw_cpu_kernels *k, const sdw_weight *w, int panel)
{
    const sdw_cpu_narrow *n = k->narrow;
    int taps = w->k * w->k, channel = 0;
    char *to = (char *)w->packed + (size_t)panel * sdw_cpu_narrow_panel_bytes(n, (int)w->in, taps);
    packer p;
    for (int i = 0; i < SDW_CPU_NARROW_BLOCK; i++) p.order[i] = i;
    for (int r = 0; r < n->nr; r++) {
        int64_t o = output_of(k, w, panel, r);
        float most = n->scaled && o >= 0 ? largest(k, w, o, p.wide) : 0;
        p.inverse[r] = most > 0 ? 127 / most : 0;
        if (n->scaled) ((float *)(void *)to)[r] = most / 127;
    }
    to += sdw_cpu_narrow_head_bytes(n);
    for (int block = 0; block < sdw_cpu_narrow_blocks(n, (int)w->in); block++) {
        int steps = sdw_cpu_narrow_block_steps(n, (int)w->in, block);
        load_block(k, w, panel, channel, steps, &p);
        to = write_runs(k, taps, sdw_cpu_narrow_padded(n, steps), &p, to);
        channel += steps;
    }
}
