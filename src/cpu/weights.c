/* weights.c - packing. Work is cut into items of some panels, so that one large matrix keeps every thread busy; the thread
 * that finishes a weight's last item reports it. */
#include "cpu/weights.h"

#include <pthread.h>
#include <string.h>

#include "core/mem.h"
#include "cpu/narrow_product.h"

enum {
    CHUNK_MATRIX = 256,                    /* steps transposed at a time */
    CHUNK_CONV = SDW_CPU_SEGMENT * 9,      /* one segment with all taps of 3x3 */
    ITEM_BYTES = 1 << 20,
    ALIGN = 64,
};

static bool multiplied(const sdw_weight *w)
{
    return w->role == SDW_ROLE_MATRIX || w->role == SDW_ROLE_GLU || w->role == SDW_ROLE_CONV;
}

sdw_dtype sdw_cpu_packed_dtype(const sdw_weight *w)
{
    if (w->role == SDW_ROLE_VECTOR) return SDW_F32;
    sdw_dtype t = w->source[0].dtype;
    for (int i = 1; i < w->source_count; i++)
        if (w->source[i].dtype != t) return SDW_F32;
    bool narrow = t == SDW_F8_E4M3 || t == SDW_F8_E5M2;
    return narrow && multiplied(w) ? SDW_F16 : t;
}

int sdw_cpu_panel_outputs(const sdw_cpu_kernels *k, const sdw_weight *w)
{
    return w->role == SDW_ROLE_GLU ? k->nr / 2 : k->nr;
}

int64_t sdw_cpu_outputs(const sdw_weight *w)
{
    return w->role == SDW_ROLE_GLU ? w->out / 2 : w->out;
}

int sdw_cpu_panel_count(const sdw_cpu_kernels *k, const sdw_weight *w)
{
    int per = sdw_cpu_panel_outputs(k, w);
    return (int)((sdw_cpu_outputs(w) + per - 1) / per);
}

int sdw_cpu_panel_width(const sdw_cpu_kernels *k, const sdw_weight *w, int p)
{
    if (w->role == SDW_ROLE_GLU) return k->nr;
    return sdw_cpu_outputs(w) - (int64_t)p * k->nr <= k->nr / 2 ? k->nr / 2 : k->nr;
}

static int64_t steps_of(const sdw_weight *w)
{
    return w->in * w->k * w->k;
}

size_t sdw_cpu_packed_bytes(const sdw_cpu_kernels *k, const sdw_weight *w)
{
    size_t size = sdw_dtype_size(sdw_cpu_packed_dtype(w));
    if (sdw_cpu_narrow_takes(k, w)) return sdw_cpu_narrow_packed_bytes(k, w);
    if (!multiplied(w)) return (size_t)w->out * (size_t)w->in * size;
    int last = sdw_cpu_panel_count(k, w) - 1;
    size_t columns = (size_t)last * (size_t)k->nr + (size_t)sdw_cpu_panel_width(k, w, last);
    return columns * (size_t)steps_of(w) * size;
}

/* Elements [first, first + count) of output row `o`, as packed type, to dst. */
static void load_row(const sdw_weight *w, sdw_dtype packed, int64_t o, int64_t first, int count, void *dst)
{
    const sdw_weight_source *s = w->source;
    while (o >= s->rows) o -= s++->rows;
    size_t size = sdw_dtype_size(s->dtype);
    unsigned char raw[CHUNK_CONV * 8];
    const unsigned char *from = (const unsigned char *)s->data + ((size_t)o * (size_t)steps_of(w) + (size_t)first) * size;
    if (s->transposed) { /* (in, out): one element per row of the file */
        for (int i = 0; i < count; i++)
            memcpy(raw + (size_t)i * size, (const unsigned char *)s->data + ((size_t)(first + i) * (size_t)s->rows + (size_t)o) * size, size);
        from = raw;
    }
    if (s->dtype == packed) {
        memcpy(dst, from, (size_t)count * size);
        return;
    }
    float wide[CHUNK_CONV];
    sdw_to_f32(s->dtype, from, wide, (size_t)count);
    sdw_from_f32(packed, wide, dst, (size_t)count);
}

void sdw_cpu_weight_row(const sdw_cpu_kernels *k, const sdw_weight *w, int64_t o, int64_t first, int count, float *dst)
{
    const sdw_weight_source *s = w->source;
    int64_t row = o;
    while (row >= s->rows) row -= s++->rows;
    sdw_cpu_widen_fn *widen = s->dtype == SDW_F16 ? k->widen_f16 : s->dtype == SDW_BF16 ? k->widen_bf16 : NULL;
    bool even = ((uintptr_t)s->data & 1) == 0; /* files promise no alignment */
    if (widen && even && !s->transposed) {
        widen(dst, (const uint16_t *)s->data + row * steps_of(w) + first, (size_t)count);
        return;
    }
    for (int i = 0; i < count; i += CHUNK_CONV) load_row(w, SDW_F32, o, first + i, count - i < CHUNK_CONV ? count - i : CHUNK_CONV, dst + i);
}

/* The source that holds output rows [o, o + rows) in packed type and row-major order, or NULL; *ret_first: its first row. */
static const sdw_weight_source *direct_source(const sdw_weight *w, sdw_dtype packed, int64_t o, int rows, int64_t *ret_first)
{
    int64_t first = 0;
    for (int i = 0; i < w->source_count; first += w->source[i++].rows) {
        const sdw_weight_source *s = &w->source[i];
        if (o < first || o + rows > first + s->rows) continue;
        *ret_first = first;
        return s->transposed || s->dtype != packed ? NULL : s;
    }
    return NULL;
}

/* Packed position, relative to the chunk's first, of each of its `count` elements in file order (channel, then tap). */
static void chunk_order(const sdw_weight *w, int channels, int32_t *row)
{
    int taps = w->k * w->k;
    for (int c = 0, i = 0; c < channels; c++)
        for (int t = 0; t < taps; t++, i++) row[i] = t * (taps > 1 ? channels : 0) + c;
}

static void pack_panel(const sdw_cpu_kernels *k, const sdw_weight *w, int p)
{
    sdw_dtype packed = sdw_cpu_packed_dtype(w);
    size_t size = sdw_dtype_size(packed);
    sdw_cpu_panel_fn *panel = size == 2 ? k->panel16 : k->panel32;
    int taps = w->k * w->k, width = sdw_cpu_panel_width(k, w, p), per = sdw_cpu_panel_outputs(k, w);
    int step = taps > 1 ? SDW_CPU_SEGMENT : CHUNK_MATRIX; /* channels at a time */
    int64_t o = (int64_t)p * per, half = w->out / 2;
    int rows = (int)(sdw_cpu_outputs(w) - o < per ? sdw_cpu_outputs(w) - o : per);
    unsigned char *dst = (unsigned char *)w->packed + (size_t)p * (size_t)k->nr * (size_t)steps_of(w) * size;
    int32_t order[CHUNK_CONV];
    _Alignas(ALIGN) unsigned char block[SDW_CPU_COLUMNS_MAX * CHUNK_CONV * 4];
    int64_t first = 0;
    const sdw_weight_source *s = w->role == SDW_ROLE_GLU ? NULL : direct_source(w, packed, o, rows, &first);
    for (int64_t c = 0; c < w->in; c += step) {
        int channels = (int)(w->in - c < step ? w->in - c : step), count = channels * taps;
        if (c == 0 || channels < step) chunk_order(w, channels, order);
        unsigned char *to = dst + (size_t)c * (size_t)taps * (size_t)width * size;
        if (s) {
            const unsigned char *from = (const unsigned char *)s->data + ((size_t)(o - first) * (size_t)steps_of(w) + (size_t)(c * taps)) * size;
            panel(to, width, order, from, (ptrdiff_t)steps_of(w), rows, count);
            continue;
        }
        size_t pitch = (size_t)count * size;
        int used = w->role == SDW_ROLE_GLU ? width : rows;
        memset(block, 0, (size_t)used * pitch);
        for (int r = 0; r < rows; r++) {
            load_row(w, packed, o + r, c * taps, count, block + (size_t)r * pitch);
            if (w->role == SDW_ROLE_GLU) load_row(w, packed, half + o + r, c * taps, count, block + (size_t)(per + r) * pitch);
        }
        panel(to, width, order, block, count, used, count);
    }
}

/* Vectors and tables: rows as they are. */
static void pack_plain(const sdw_weight *w)
{
    sdw_dtype packed = sdw_cpu_packed_dtype(w);
    size_t size = sdw_dtype_size(packed);
    for (int64_t o = 0; o < w->out; o++)
        for (int64_t c = 0; c < w->in; c += CHUNK_CONV) {
            int count = (int)(w->in - c < CHUNK_CONV ? w->in - c : CHUNK_CONV);
            load_row(w, packed, o, c, count, (unsigned char *)w->packed + ((size_t)o * (size_t)w->in + (size_t)c) * size);
        }
}

struct job {
    sdw_weight *w;
    int first_item, items, panels_per_item;
    atomic_int left;
};

struct packing {
    const sdw_cpu_kernels *k;
    struct job *job;
    int jobs;
    pthread_mutex_t mutex; /* done is called by one thread at a time */
    sdw_packed_fn *done;
    void *ctx;
};

static struct job *job_of(struct packing *p, int item)
{
    int low = 0, high = p->jobs - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (p->job[middle].first_item <= item) low = middle;
        else high = middle - 1;
    }
    return &p->job[low];
}

static void pack_item(void *ctx, int item, int thread)
{
    struct packing *p = ctx;
    struct job *j = job_of(p, item);
    (void)thread;
    if (multiplied(j->w)) {
        int first = (item - j->first_item) * j->panels_per_item, last = first + j->panels_per_item;
        int count = sdw_cpu_panel_count(p->k, j->w);
        bool narrow = sdw_cpu_narrow_takes(p->k, j->w);
        for (int i = first; i < last && i < count; i++) (narrow ? sdw_cpu_narrow_pack_panel : pack_panel)(p->k, j->w, i);
    } else {
        pack_plain(j->w);
    }
    if (atomic_fetch_sub(&j->left, 1) != 1 || !p->done) return;
    pthread_mutex_lock(&p->mutex);
    p->done(p->ctx, j->w);
    pthread_mutex_unlock(&p->mutex);
}

static sdw_status check(const sdw_weight *w, sdw_error *err)
{
    int64_t rows = 0;
    for (int i = 0; i < w->source_count; i++) {
        const sdw_weight_source *s = &w->source[i];
        if (!sdw_dtype_is_weight(s->dtype))
            return sdw_fail(err, SDW_UNSUPPORTED, "%s: weights of type %s, want F32, F16, BF16 or F8", w->name, sdw_dtype_name(s->dtype));
        if (s->transposed && w->k != 1) return sdw_fail(err, SDW_UNSUPPORTED, "%s: a transposed convolution weight", w->name);
        rows += s->rows;
    }
    if (w->out < 1 || w->in < 1 || rows != w->out || w->k < 1 || w->k > 3)
        return sdw_fail(err, SDW_INTERNAL, "%s: %lld source rows for %lld x %lld, side %d", w->name, (long long)rows, (long long)w->out,
                        (long long)w->in, w->k);
    return SDW_OK;
}

static struct job make_job(const sdw_cpu_kernels *k, sdw_weight *w, int first_item)
{
    struct job j = { .w = w, .first_item = first_item, .items = 1, .panels_per_item = 1 };
    if (multiplied(w)) {
        int count = sdw_cpu_panel_count(k, w);
        size_t panel_bytes = w->packed_bytes / (size_t)count + 1;
        j.panels_per_item = (int)(ITEM_BYTES / panel_bytes) + 1;
        j.items = (count + j.panels_per_item - 1) / j.panels_per_item;
    }
    atomic_init(&j.left, j.items);
    return j;
}

sdw_status sdw_cpu_pack(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, sdw_weight **weights, size_t count, sdw_packed_fn *done, void *ctx,
                        sdw_error *err)
{
    struct packing p = { .k = k, .done = done, .ctx = ctx };
    p.job = sdw_calloc(count ? count : 1, sizeof *p.job);
    if (!p.job) return sdw_fail_memory(err, "packing", count * sizeof *p.job);
    sdw_status status = SDW_OK;
    int items = 0;
    for (size_t i = 0; i < count && status == SDW_OK; i++) {
        sdw_weight *w = weights[i];
        if (w->packed) continue;
        if ((status = check(w, err)) != SDW_OK) break;
        size_t bytes = sdw_cpu_packed_bytes(k, w);
        w->packed = sdw_aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
        if (!w->packed) {
            status = sdw_fail_memory(err, w->name, bytes);
            break;
        }
        w->packed_bytes = bytes;
        p.job[p.jobs] = make_job(k, w, items);
        items += p.job[p.jobs++].items;
    }
    if (status == SDW_OK) {
        pthread_mutex_init(&p.mutex, NULL);
        sdw_cpu_pool_run(pool, items, pack_item, &p, NULL);
        pthread_mutex_destroy(&p.mutex);
    }
    for (int i = 0; status != SDW_OK && i < p.jobs; i++) {
        sdw_free(p.job[i].w->packed);
        p.job[i].w->packed = NULL;
        p.job[i].w->packed_bytes = 0;
    }
    sdw_free(p.job);
    return status;
}
