/* product_cases.h - convolutions, linear layers and GLU pairs to try, and what they must give: sums in double written down once
 * more, from the definition. */
#ifndef SDW_TESTS_CPU_PRODUCT_CASES_H
#define SDW_TESTS_CPU_PRODUCT_CASES_H

#include "cpu/bed.h"

static inline double act_of(double x, sdw_act act)
{
    switch (act) {
    case SDW_ACT_SILU: return x / (1 + exp(-x));
    case SDW_ACT_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case SDW_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case SDW_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case SDW_ACT_NONE: break;
    }
    return x;
}

typedef struct conv_case {
    int n, h, w, ci, co, k, stride, pad, up; /* pad: on every side; -1 = bottom and right only */
    sdw_dtype type;
    bool bias, lane, residual, in_place, pre, silu, winograd; /* winograd: vector kernels use it for this shape */
    int extra; /* more columns in the block of the input than the input has */
} conv_case;

typedef struct conv_run {
    bed b;
    sdw_tensor *x, *out, *lane, *coeffs, *residual;
    sdw_weight *weight, *bias;
    float *residual_copy;
} conv_run;

static inline void record_conv_with(conv_run *r, const conv_case *c, const sdw_backend_options *options)
{
    bed_open_with(&r->b, options);
    bed *b = &r->b;
    int up_h = c->up ? c->h * 2 - c->up % 2 : 0, up_w = c->up ? c->w * 2 : 0;
    int in_h = up_h ? up_h : c->h, in_w = up_w ? up_w : c->w, begin = c->pad < 0 ? 0 : c->pad, end = c->pad < 0 ? 1 : c->pad;
    int oh = (in_h + begin + end - c->k) / c->stride + 1, ow = (in_w + begin + end - c->k) / c->stride + 1;
    r->x = bed_input(b, c->n, c->h, c->w, c->ci + c->extra);
    r->out = bed_input(b, c->n, oh, ow, c->co + c->extra);
    r->residual = bed_input(b, c->n, oh, ow, c->co);
    r->lane = bed_input(b, c->n, 1, 1, c->co);
    r->coeffs = bed_input(b, c->n, 1, 1, 2 * c->ci);
    r->weight = bed_weight(b, SDW_ROLE_CONV, c->co, c->ci, c->k, c->type, 1 / sqrtf((float)(c->ci * c->k * c->k)));
    r->bias = bed_weight(b, SDW_ROLE_VECTOR, c->co, 1, 1, SDW_F16, 0.1f);
    const sdw_tensor *x = c->extra ? sdw_columns(b->graph, r->x, c->extra, c->ci) : r->x;
    sdw_tensor *out = c->extra ? sdw_columns(b->graph, r->out, 1, c->co) : r->out;
    sdw_conv2d_args a = { .weight = r->weight, .bias = c->bias ? r->bias : NULL, .stride = c->stride, .pad_top = begin, .pad_left = begin,
                          .pad_bottom = end, .pad_right = end, .up_h = up_h, .up_w = up_w, .lane_add = c->lane ? r->lane : NULL };
    if (c->residual) a.residual = c->in_place ? out : r->residual;
    if (c->pre) a.pre = (sdw_pre){ r->coeffs, c->silu ? SDW_ACT_SILU : SDW_ACT_NONE };
    r->residual_copy = sdw_malloc(r->b.bound_floats[1] * 4);
    memcpy(r->residual_copy, b->bound[1], b->bound_floats[1] * 4);
    sdw_conv2d(b->graph, x, &a, out);
}

static inline void record_conv(conv_run *r, const conv_case *c, const char *isa, int threads)
{
    record_conv_with(r, c, &(sdw_backend_options){ .isa = isa, .threads = threads });
}

static inline double input_of(const conv_run *r, const conv_case *c, int n, int y, int x, int i, int in_h, int in_w)
{
    if (y < 0 || x < 0 || y >= in_h || x >= in_w) return 0;
    int sy = y * c->h / in_h, sx = x * c->w / in_w;
    double v = r->b.bound[0][(((size_t)n * (size_t)c->h + (size_t)sy) * (size_t)c->w + (size_t)sx) * (size_t)(c->ci + c->extra) + (size_t)(c->extra + i)];
    if (!c->pre) return v;
    const float *coeffs = r->b.bound[4] + (size_t)n * 2 * (size_t)c->ci;
    v = v * coeffs[i] + coeffs[c->ci + i];
    return c->silu ? act_of(v, SDW_ACT_SILU) : v;
}

/* Relative distance of the run's output from the definition. */
static inline double check_conv(const conv_run *r, const conv_case *c)
{
    const sdw_tensor *out = r->out;
    const float *w = bed_exact(&r->b, r->weight), *bias = bed_exact(&r->b, r->bias);
    int in_h = c->up ? c->h * 2 - c->up % 2 : c->h, in_w = c->up ? c->w * 2 : c->w, begin = c->pad < 0 ? 0 : c->pad;
    double error = 0, norm = 0;
    size_t pitch = (size_t)(c->co + c->extra);
    for (int n = 0; n < c->n; n++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                for (int o = 0; o < c->co; o++) {
                    double sum = c->bias ? bias[o] : 0;
                    for (int ky = 0; ky < c->k; ky++)
                        for (int kx = 0; kx < c->k; kx++)
                            for (int i = 0; i < c->ci; i++)
                                sum += input_of(r, c, n, y * c->stride + ky - begin, x * c->stride + kx - begin, i, in_h, in_w) *
                                       w[((o * c->ci + i) * c->k + ky) * c->k + kx];
                    if (c->lane) sum += r->b.bound[3][n * c->co + o];
                    size_t row = ((size_t)n * (size_t)out->h + (size_t)y) * (size_t)out->w + (size_t)x;
                    size_t at = row * pitch + (size_t)(c->extra ? 1 + o : o);
                    if (c->residual) sum += c->in_place ? r->residual_copy[at] : r->b.bound[2][row * (size_t)c->co + (size_t)o];
                    double d = r->b.bound[1][at] - sum;
                    error += d * d;
                    norm += sum * sum;
                }
    return sqrt(error / norm);
}

/* Columns beside the view must be as they were. */
static inline void check_beside(const conv_run *r, const conv_case *c)
{
    size_t pitch = (size_t)(c->co + c->extra);
    for (size_t i = 0; i < r->b.bound_floats[1]; i++)
        if (c->extra && (i % pitch < 1 || i % pitch > (size_t)c->co)) assert_true(r->b.bound[1][i] == r->residual_copy[i]);
}

static inline void close_conv(conv_run *r)
{
    sdw_free(r->residual_copy);
    bed_close(&r->b);
}

/* Gives a run of one lane the last lane's inputs and the weights of a run of n. */
static inline void conv_last_lane(conv_run *alone, const conv_run *all, int n)
{
    for (int j = 0; j < all->b.bounds; j++)
        memcpy(alone->b.bound[j], all->b.bound[j] + all->b.bound_floats[j] / (size_t)n * (size_t)(n - 1), alone->b.bound_floats[j] * 4);
    for (int j = 0; j < all->b.weights; j++) {
        const sdw_weight *w = &all->b.weight[j];
        memcpy(alone->b.raw[j], all->b.raw[j], (size_t)(w->out * w->in * w->k * w->k) * sdw_dtype_size(w->source[0].dtype) + 1);
    }
}

static const conv_case conv_cases[] = {
    { 1, 5, 7, 4, 8, 3, 1, 1, 0, SDW_F32, .bias = true },
    { 2, 9, 11, 3, 5, 3, 1, 1, 0, SDW_F16, .bias = true, .lane = true },
    { 1, 8, 8, 9, 40, 3, 1, 1, 0, SDW_BF16, .residual = true },
    { 2, 16, 16, 40, 72, 3, 1, 1, 0, SDW_F16, .bias = true, .residual = true, .in_place = true, .pre = true, .silu = true, .winograd = true },
    { 1, 13, 17, 33, 31, 3, 2, 1, 0, SDW_F16, .bias = true, .extra = 3 },
    { 2, 12, 10, 24, 48, 3, 2, -1, 0, SDW_F32, .bias = true },
    { 1, 6, 5, 64, 32, 3, 1, 1, 2, SDW_F16, .bias = true, .winograd = true },
    { 1, 6, 5, 20, 33, 3, 1, 1, 1, SDW_F16, .bias = true, .lane = true, .winograd = true },
    { 1, 70, 100, 3, 6, 3, 1, 1, 0, SDW_F32, .bias = true },
    { 2, 9, 9, 70, 16, 1, 1, 0, 0, SDW_F16, .bias = true, .residual = true, .pre = true },
    { 1, 9, 8, 12, 20, 1, 2, 0, 0, SDW_F16, .bias = true },
    { 1, 2, 2, 1, 1, 3, 1, 1, 0, SDW_F32, .bias = false },
    { 3, 4, 4, 100, 100, 3, 1, 1, 0, SDW_F8_E4M3, .bias = true, .extra = 5, .residual = true, .in_place = true },
    { 1, 1, 1, 7, 9, 3, 1, 1, 0, SDW_F8_E5M2, .bias = false },
    { 1, 14, 19, 100, 72, 3, 1, 1, 0, SDW_F16, .bias = true, .lane = true, .residual = true, .winograd = true },
    { 1, 24, 81, 32, 40, 3, 1, 1, 0, SDW_F32, .bias = true, .winograd = true },
    { 3, 8, 7, 64, 48, 3, 1, 1, 2, SDW_BF16, .bias = true, .extra = 7, .winograd = true },
    { 1, 13, 12, 40, 33, 3, 1, 0, 0, SDW_F16, .pre = true, .winograd = true },
};
enum { CONV_CASES = sizeof conv_cases / sizeof *conv_cases };

typedef struct linear_case {
    int n, rows, ci, co, sources;
    sdw_dtype type;
    sdw_act act;
    bool bias, residual, transposed, glu, pre;
} linear_case;

static const linear_case linear_cases[] = {
    { 1, 1, 1, 1, 1, SDW_F32, SDW_ACT_NONE, .bias = false },
    { 2, 1, 320, 128, 1, SDW_F16, SDW_ACT_SILU, .bias = true },
    { 2, 77, 768, 96, 3, SDW_F16, SDW_ACT_QUICK_GELU, .bias = true },
    { 1, 30, 1000, 45, 1, SDW_F16, SDW_ACT_GELU, .bias = true, .residual = true },
    { 1, 30, 100, 45, 1, SDW_BF16, SDW_ACT_GELU_TANH, .bias = true },
    { 1, 33, 50, 39, 3, SDW_F16, SDW_ACT_NONE, .bias = false },
    { 1, 33, 50, 39, 1, SDW_F16, SDW_ACT_NONE, .transposed = true },
    { 1, 300, 320, 320, 1, SDW_F16, SDW_ACT_NONE, .bias = true, .residual = true },
    { 2, 40, 64, 2 * 80, 1, SDW_F16, SDW_ACT_GELU, .bias = true, .glu = true },
    { 2, 5, 33, 2 * 19, 1, SDW_F32, SDW_ACT_SILU, .glu = true },
    { 2, 70, 96, 70, 1, SDW_F16, SDW_ACT_NONE, .bias = true, .pre = true },
    { 1, 19, 1300, 40, 1, SDW_F16, SDW_ACT_NONE, .bias = true },
};
enum { LINEAR_CASES = sizeof linear_cases / sizeof *linear_cases };

/* Cuts a weight's one source into three, the middle one in another type if `mixed`. */
static inline void split_sources(sdw_weight *w, bool transposed)
{
    sdw_weight_source whole = w->source[0];
    int64_t third = w->out / 3;
    if (transposed) return;
    size_t row = (size_t)w->in * sdw_dtype_size(whole.dtype);
    w->source_count = 3;
    for (int i = 0; i < 3; i++) {
        w->source[i] = whole;
        w->source[i].data = (const char *)whole.data + (size_t)(i * third) * row;
        w->source[i].rows = i < 2 ? third : w->out - 2 * third;
    }
}

typedef struct linear_run {
    bed b;
    int out_c;
    sdw_weight *weight, *bias;
} linear_run;

static inline void record_linear(linear_run *r, const linear_case *c, const sdw_backend_options *options)
{
    bed *b = &r->b;
    bed_open_with(b, options);
    int out_c = r->out_c = c->glu ? c->co / 2 : c->co;
    sdw_tensor *x = bed_input(b, c->n, c->rows, 1, c->ci), *out = bed_input(b, c->n, c->rows, 1, out_c), *residual = bed_input(b, c->n, c->rows, 1, out_c);
    sdw_tensor *coeffs = bed_input(b, c->n, 1, 1, 2 * c->ci);
    sdw_weight *w = bed_weight(b, c->glu ? SDW_ROLE_GLU : SDW_ROLE_MATRIX, c->co, c->ci, 1, c->type, 1 / sqrtf((float)c->ci));
    sdw_weight *bias = bed_weight(b, SDW_ROLE_VECTOR, c->co, 1, 1, SDW_F32, 0.1f);
    if (c->sources == 3) split_sources(w, c->transposed);
    w->source[0].transposed = c->transposed;
    sdw_pre pre = { c->pre ? coeffs : NULL, c->pre ? SDW_ACT_SILU : SDW_ACT_NONE };
    if (c->glu) sdw_glu(b->graph, x, &(sdw_glu_args){ .weight = w, .bias = c->bias ? bias : NULL, .act = c->act }, out);
    else
        sdw_linear(b->graph, x, &(sdw_linear_args){ .weight = w, .bias = c->bias ? bias : NULL, .act = c->act, .residual = c->residual ? residual : NULL, .pre = pre }, out);
    r->weight = w;
    r->bias = bias;
}

/* Relative distance of the run's output from the definition. */
static inline double check_linear(const linear_run *r, const linear_case *c)
{
    const bed *b = &r->b;
    const float *exact = bed_exact(b, r->weight), *add = bed_exact(b, r->bias);
    double error = 0, norm = 0;
    for (int row = 0; row < c->n * c->rows; row++)
        for (int o = 0; o < r->out_c; o++) {
            double sum[2] = { 0 };
            const float *coeffs = b->bound[3] + (size_t)(row / c->rows) * 2 * (size_t)c->ci;
            for (int half = 0; half <= c->glu; half++) {
                int at = o + half * r->out_c;
                for (int i = 0; i < c->ci; i++) {
                    double v = b->bound[0][row * c->ci + i];
                    if (c->pre) v = act_of(v * coeffs[i] + coeffs[c->ci + i], SDW_ACT_SILU);
                    sum[half] += v * (c->transposed ? exact[i * c->co + at] : exact[at * c->ci + i]);
                }
                if (c->bias) sum[half] += add[at];
            }
            double want = c->glu ? sum[0] * act_of(sum[1], c->act) : act_of(sum[0], c->act);
            if (c->residual) want += b->bound[2][row * r->out_c + o];
            double d = b->bound[1][row * r->out_c + o] - want;
            error += d * d;
            norm += want * want;
        }
    return sqrt(error / norm);
}

#endif
