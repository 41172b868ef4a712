/* resize.c - separable resampling in fixed point.
 *
 * One axis at a time. Output i has its centre at c = (i + 0.5) * scale in the input, scale = from / to. With
 * s = max(scale, 1) the filter is stretched by s, so that shrinking averages over what it drops; the taps are the
 * input pixels whose centres lie within support * s of c, their weights f((j + 0.5 - c) / s), made to sum to 1 and
 * rounded to 22 fractional bits: 8 bits of value, 22 of weight and 2 for overshoot fill 32. The sum fits in an int32
 * because no filter here has positive weights that add up to 2.
 * Each pass rounds and clips to 8 bits. All of it is Pillow's choice; a test compares hashes. */
#include "image/resize.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"

enum { WEIGHT_BITS = 22, HALF = 1 << (WEIGHT_BITS - 1) };
static const double PI = 3.14159265358979323846;

/* ---- filters ---- */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys 1981 with a = -1/2, in Horner form: the order of operations decides the last bit. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

typedef struct kernel {
    double (*weight)(double x); /* NULL: nearest of some kind */
    double support;
} kernel;

static const kernel KERNELS[SDW_FILTER_COUNT] = {
    [SDW_FILTER_LANCZOS] = { lanczos, 3 },
    [SDW_FILTER_BICUBIC] = { cubic, 2 },
    [SDW_FILTER_BILINEAR] = { triangle, 1 },
    [SDW_FILTER_BOX] = { box, 0.5 },
};

static const char *const NAMES[] = {
#define ROW(name, text, summary) text,
    SDW_FILTER_LIST(ROW)
#undef ROW
};

const char *sdw_filter_name(sdw_filter filter)
{
    return (unsigned)filter < SDW_FILTER_COUNT ? NAMES[filter] : "unknown";
}

int sdw_filter_from_name(const char *name)
{
    for (int i = 0; i < SDW_FILTER_COUNT; i++)
        if (strcmp(NAMES[i], name) == 0) return i;
    return -1;
}

/* ---- taps of one axis ---- */

typedef struct tap_range {
    int first, count;
} tap_range;

typedef struct axis {
    int taps_max;
    tap_range *range; /* [to]; owned */
    int32_t *weight;  /* [to][taps_max]; owned */
} axis;

static void axis_finish(axis *a)
{
    sdw_free(a->range);
    sdw_free(a->weight);
}

/* Weights of one output pixel; `exact` is scratch for taps_max values. */
static tap_range fill_taps(const kernel *k, int from, double scale, int i, double *exact, int32_t *weight)
{
    double stretch = scale < 1.0 ? 1.0 : scale, support = k->support * stretch;
    double centre = (i + 0.5) * scale, sum = 0.0, inverse = 1.0 / stretch;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > from) end = from;
    for (int j = first; j < end; j++) {
        double w = k->weight((j - centre + 0.5) * inverse);
        exact[j - first] = w;
        sum += w;
    }
    for (int j = 0; j < end - first; j++) {
        double w = (sum != 0.0 ? exact[j] / sum : exact[j]) * (1 << WEIGHT_BITS);
        weight[j] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    return (tap_range){ .first = first, .count = end - first };
}

static sdw_status axis_init(axis *a, const kernel *k, int from, int to, sdw_error *err)
{
    double scale = (double)from / to, support = k->support * (scale < 1.0 ? 1.0 : scale);
    size_t count;
    *a = (axis){ .taps_max = (int)ceil(support) * 2 + 1 };
    if (!sdw_size_mul((size_t)to, (size_t)a->taps_max, &count)) return sdw_fail_memory(err, "resize weights", SIZE_MAX);
    a->range = sdw_calloc((size_t)to, sizeof *a->range);
    a->weight = sdw_calloc(count, sizeof *a->weight);
    double *exact = sdw_calloc((size_t)a->taps_max, sizeof *exact);
    if (!a->range || !a->weight || !exact) {
        sdw_free(exact);
        axis_finish(a);
        return sdw_fail_memory(err, "resize weights", count * sizeof *a->weight);
    }
    for (int i = 0; i < to; i++)
        a->range[i] = fill_taps(k, from, scale, i, exact, a->weight + (size_t)i * (size_t)a->taps_max);
    sdw_free(exact);
    return SDW_OK;
}

/* ---- the two passes ---- */

static inline uint8_t clip(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One row; `channels` is a constant where this is called, so that the compiler unrolls. */
static inline void row_across(const axis *a, const uint8_t *from, uint8_t *to, int width, int channels)
{
    for (int x = 0; x < width; x++, to += channels) {
        tap_range r = a->range[x];
        const int32_t *w = a->weight + (size_t)x * (size_t)a->taps_max;
        const uint8_t *p = from + (size_t)r.first * (size_t)channels;
        int32_t sum[4] = { HALF, HALF, HALF, HALF };
        for (int j = 0; j < r.count; j++, p += channels)
            for (int c = 0; c < channels; c++) sum[c] += p[c] * w[j];
        for (int c = 0; c < channels; c++) to[c] = clip(sum[c]);
    }
}

static void pass_across(const axis *a, const sdw_image *from, sdw_image *to)
{
    size_t from_row = (size_t)from->width * (size_t)from->channels, to_row = (size_t)to->width * (size_t)to->channels;
    for (size_t y = 0; y < (size_t)to->height; y++) {
        const uint8_t *p = from->pixels + y * from_row;
        uint8_t *q = to->pixels + y * to_row;
        switch (to->channels) {
        case 1: row_across(a, p, q, to->width, 1); break;
        case 3: row_across(a, p, q, to->width, 3); break;
        case 4: row_across(a, p, q, to->width, 4); break;
        default: row_across(a, p, q, to->width, to->channels); break;
        }
    }
}

/* A block of one output row at a time: its sums stay in the first-level cache over all taps. */
static void pass_down(const axis *a, const sdw_image *from, sdw_image *to)
{
    enum { BLOCK = 1024 };
    int32_t sum[BLOCK];
    size_t row = (size_t)to->width * (size_t)to->channels;
    for (int y = 0; y < to->height; y++) {
        tap_range r = a->range[y];
        const int32_t *w = a->weight + (size_t)y * (size_t)a->taps_max;
        for (size_t x = 0; x < row; x += BLOCK) {
            size_t n = row - x < BLOCK ? row - x : BLOCK;
            for (size_t i = 0; i < n; i++) sum[i] = HALF;
            for (int j = 0; j < r.count; j++) {
                const uint8_t *p = from->pixels + (size_t)(r.first + j) * row + x;
                for (size_t i = 0; i < n; i++) sum[i] += p[i] * w[j];
            }
            uint8_t *q = to->pixels + (size_t)y * row + x;
            for (size_t i = 0; i < n; i++) q[i] = clip(sum[i]);
        }
    }
}

typedef void pass(const axis *a, const sdw_image *from, sdw_image *to);

/* One axis into a new picture of width x height. */
static sdw_status run_pass(const sdw_image *image, const kernel *k, int width, int height, sdw_image **ret,
                           sdw_error *err)
{
    axis a;
    sdw_image *to = NULL;
    bool across = width != image->width;
    sdw_status status = across ? axis_init(&a, k, image->width, width, err)
                               : axis_init(&a, k, image->height, height, err);
    if (status != SDW_OK) return status;
    status = sdw_image_create(width, height, image->channels, &to, err);
    if (status == SDW_OK) {
        pass *run = across ? pass_across : pass_down;
        run(&a, image, to);
        *ret = to;
    }
    axis_finish(&a);
    return status;
}

static sdw_status resample(const sdw_image *image, const kernel *k, int width, int height, sdw_image **ret_image,
                           sdw_error *err)
{
    if (height == image->height || width == image->width) return run_pass(image, k, width, height, ret_image, err);
    /* Pillow 13 goes down first where that drops more than twice as many rows as columns would go; its predecessors
     * did so only for pictures over a hundred times as tall as wide. The order shows in the last bit. */
    bool down_first = height < image->height && image->height - height > 2 * (image->width - width);
    sdw_image *half = NULL;
    sdw_status status = run_pass(image, k, down_first ? image->width : width, down_first ? height : image->height,
                                 &half, err);
    if (status != SDW_OK) return status;
    status = run_pass(half, k, width, height, ret_image, err);
    sdw_image_free(half);
    return status;
}

/* ---- nearest ---- */

/* Pillow adds the scale up rather than multiplying, and the last bit of that decides at exact halves. */
static void fill_centres(int *source, int from, int to)
{
    double scale = (double)from / to, at = scale * 0.5;
    for (int i = 0; i < to; i++, at += scale) source[i] = (int)at < from ? (int)at : from - 1;
}

/* torch's "nearest": single precision. */
static void fill_floors(int *source, int from, int to)
{
    float scale = (float)from / (float)to;
    for (int i = 0; i < to; i++) {
        int j = (int)floorf((float)i * scale);
        source[i] = j < from ? j : from - 1;
    }
}

static sdw_status pick(const sdw_image *image, sdw_filter filter, int width, int height, sdw_image **ret_image,
                       sdw_error *err)
{
    sdw_image *to = NULL;
    sdw_status status = sdw_image_create(width, height, image->channels, &to, err);
    if (status != SDW_OK) return status;
    size_t sources = (size_t)width + (size_t)height, channels = (size_t)image->channels;
    int *xs = sdw_calloc(sources, sizeof *xs), *ys = xs ? xs + width : NULL;
    if (!xs) {
        sdw_image_free(to);
        return sdw_fail_memory(err, "resize positions", sources * sizeof *xs);
    }
    void (*fill)(int *, int, int) = filter == SDW_FILTER_NEAREST ? fill_centres : fill_floors;
    fill(xs, image->width, width);
    fill(ys, image->height, height);
    uint8_t *q = to->pixels;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = image->pixels + (size_t)ys[y] * (size_t)image->width * channels;
        for (int x = 0; x < width; x++, q += channels) memcpy(q, row + (size_t)xs[x] * channels, channels);
    }
    sdw_free(xs);
    *ret_image = to;
    return SDW_OK;
}

sdw_status sdw_image_resize(const sdw_image *image, int width, int height, sdw_filter filter, sdw_image **ret_image,
                            sdw_error *err)
{
    if ((unsigned)filter >= SDW_FILTER_COUNT)
        return sdw_fail(err, SDW_INVALID, "resize filter %d: want 0..%d", (int)filter, SDW_FILTER_COUNT - 1);
    if (width < 1 || height < 1)
        return sdw_fail(err, SDW_INVALID, "resize to %dx%d: want sides of 1 or more", width, height);
    if (width == image->width && height == image->height) return sdw_image_clone(image, ret_image, err);
    if (!KERNELS[filter].weight) return pick(image, filter, width, height, ret_image, err);
    return resample(image, &KERNELS[filter], width, height, ret_image, err);
}
