/* graph.c - recording: shapes are checked here, once, so that no backend has to. */
#include "tensor/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum { ALIGN_CELLS = 16 }; /* rows of blocks start on 64 bytes */

static const char *const op_names[SDW_OP_COUNT] = {
#define SDW_OP_NAME(name) [SDW_OP_##name] = #name,
    SDW_OP_LIST(SDW_OP_NAME)
#undef SDW_OP_NAME
};

const char *sdw_op_kind_name(sdw_op_kind kind)
{
    return op_names[kind];
}

sdw_graph *sdw_graph_create(sdw_error *err)
{
    sdw_graph *g = sdw_calloc(1, sizeof *g);
    if (!g) sdw_fail_memory(err, "graph", sizeof *g);
    return g;
}

void sdw_graph_free(sdw_graph *g)
{
    if (!g) return;
    sdw_arena_finish(&g->arena);
    sdw_free(g->ops);
    sdw_free(g->blocks);
    sdw_free(g);
}

sdw_status sdw_graph_check(const sdw_graph *g, sdw_error *err)
{
    if (g->error.status != SDW_OK && err) *err = g->error;
    return g->error.status;
}

void sdw_graph_name(sdw_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(g->prefix, sizeof g->prefix, format, args);
    va_end(args);
}

static bool failed(const sdw_graph *g)
{
    return g->error.status != SDW_OK;
}

static sdw_tensor *no_memory(sdw_graph *g)
{
    if (!failed(g)) sdw_fail_memory(&g->error, "graph", 0);
    return &g->nothing;
}

static bool grow(void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity) return true;
    int wanted = *capacity ? *capacity * 2 : 64;
    void *p = sdw_realloc(*array, (size_t)wanted * size);
    if (!p) return false;
    *array = p;
    *capacity = wanted;
    return true;
}

static sdw_tensor *new_tensor(sdw_graph *g, sdw_tensor value)
{
    sdw_tensor *t = sdw_arena_alloc(&g->arena, sizeof *t);
    if (!t) return no_memory(g);
    *t = value;
    return t;
}

static sdw_tensor *new_block_tensor(sdw_graph *g, int n, int h, int w, int c, int bound)
{
    if (failed(g)) return &g->nothing;
    if (n < 1 || h < 1 || w < 1 || c < 1) {
        sdw_fail(&g->error, SDW_INTERNAL, "%s: tensor of %d x %d x %d x %d, want sides of at least 1", g->prefix, n, h, w, c);
        return &g->nothing;
    }
    void *blocks = g->blocks;
    if (!grow(&blocks, g->block_count, &g->block_capacity, sizeof *g->blocks)) return no_memory(g);
    g->blocks = blocks;
    size_t cells = (size_t)n * (size_t)h * (size_t)w * (size_t)c;
    cells = (cells + ALIGN_CELLS - 1) / ALIGN_CELLS * ALIGN_CELLS;
    g->blocks[g->block_count] = (sdw_block){ .cells = cells, .first_op = -1, .last_op = -1, .bound = bound };
    return new_tensor(g, (sdw_tensor){ .n = n, .h = h, .w = w, .c = c, .row_stride = c, .block = g->block_count++, .writer = -1 });
}

sdw_tensor *sdw_graph_bound(sdw_graph *g, int n, int h, int w, int c, int *ret_bound)
{
    sdw_tensor *t = new_block_tensor(g, n, h, w, c, g->bound_count);
    if (!failed(g)) *ret_bound = g->bound_count++;
    return t;
}

sdw_tensor *sdw_graph_tensor(sdw_graph *g, int n, int h, int w, int c)
{
    return new_block_tensor(g, n, h, w, c, -1);
}

sdw_tensor *sdw_graph_sums(sdw_graph *g, int n, int h, int w, int c)
{
    return sdw_graph_tensor(g, n, (h + SDW_SUMS_ROWS - 1) / SDW_SUMS_ROWS, (w + SDW_SUMS_COLUMNS - 1) / SDW_SUMS_COLUMNS, 4 * c);
}

/* A tensor over the same memory, of which nothing else is known. */
static sdw_tensor view_of(const sdw_tensor *t)
{
    sdw_tensor v = *t;
    v.sums = NULL;
    v.writer = -1;
    return v;
}

sdw_tensor *sdw_rows(sdw_graph *g, const sdw_tensor *t, int first, int count)
{
    if (failed(g)) return &g->nothing;
    if (t->n != 1 || first < 0 || count < 1 || first + count > t->h) {
        sdw_fail(&g->error, SDW_INTERNAL, "%s: rows %d..%d of a tensor with %d and %d lanes", g->prefix, first, first + count, t->h, t->n);
        return &g->nothing;
    }
    sdw_tensor v = view_of(t);
    v.h = count;
    v.offset += (size_t)first * (size_t)t->w * (size_t)t->row_stride;
    return new_tensor(g, v);
}

sdw_tensor *sdw_columns(sdw_graph *g, const sdw_tensor *t, int first, int count)
{
    if (failed(g)) return &g->nothing;
    if (first < 0 || count < 1 || first + count > t->c) {
        sdw_fail(&g->error, SDW_INTERNAL, "%s: columns %d..%d of a tensor with %d", g->prefix, first, first + count, t->c);
        return &g->nothing;
    }
    sdw_tensor v = view_of(t);
    v.c = count;
    v.offset += (size_t)first;
    return new_tensor(g, v);
}

sdw_tensor *sdw_reshape(sdw_graph *g, const sdw_tensor *t, int h, int w)
{
    if (failed(g)) return &g->nothing;
    if ((int64_t)h * w != (int64_t)t->h * t->w) {
        sdw_fail(&g->error, SDW_INTERNAL, "%s: reshape of %d x %d rows to %d x %d", g->prefix, t->h, t->w, h, w);
        return &g->nothing;
    }
    sdw_tensor v = view_of(t);
    v.h = h;
    v.w = w;
    return new_tensor(g, v);
}

/* ---- ops ---- */

static void touch(sdw_graph *g, const sdw_tensor *t)
{
    sdw_block *b = &g->blocks[t->block];
    if (b->first_op < 0) b->first_op = g->op_count;
    b->last_op = g->op_count;
}

static bool same_shape(const sdw_tensor *a, const sdw_tensor *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c;
}

/* The output tensor of an op: a new one, or the caller's with its shape checked. */
static sdw_tensor *output(sdw_graph *g, sdw_tensor *out, int n, int h, int w, int c)
{
    if (failed(g)) return &g->nothing;
    if (!out) return new_block_tensor(g, n, h, w, c, -1);
    if (out->n != n || out->h != h || out->w != w || out->c != c)
        sdw_fail(&g->error, SDW_INTERNAL, "%s: output is %d x %d x %d x %d, want %d x %d x %d x %d", g->prefix, out->n, out->h,
                 out->w, out->c, n, h, w, c);
    out->sums = NULL;
    out->writer = -1;
    return out;
}

int sdw_op_tensors(const sdw_op *op, const sdw_tensor *ret[SDW_OP_TENSORS_MAX])
{
    const sdw_tensor *all[SDW_OP_TENSORS_MAX] = { op->out, op->in, op->in2 };
    int count = 0;
    if (op->kind == SDW_OP_conv2d) {
        const sdw_conv2d_args *a = &op->args.conv2d;
        all[3] = a->lane_add, all[4] = a->residual, all[5] = a->pre.coeffs, all[6] = a->sums;
    } else if (op->kind == SDW_OP_linear) {
        all[3] = op->args.linear.residual, all[4] = op->args.linear.pre.coeffs;
    } else if (op->kind == SDW_OP_attention) {
        all[3] = op->args.attention.k, all[4] = op->args.attention.v, all[5] = op->args.attention.kv_len;
    }
    for (int i = 0; i < SDW_OP_TENSORS_MAX; i++)
        if (all[i]) ret[count++] = all[i];
    return count;
}

/* Appends the op; every tensor it touches lives from its first to its last mention. */
static sdw_tensor *append(sdw_graph *g, sdw_op op)
{
    if (failed(g)) return &g->nothing;
    void *ops = g->ops;
    if (!grow(&ops, g->op_count, &g->op_capacity, sizeof *g->ops)) return no_memory(g);
    g->ops = ops;
    sdw_op *kept = sdw_arena_alloc(&g->arena, sizeof *kept);
    op.name = sdw_arena_strdup(&g->arena, g->prefix);
    if (!kept || !op.name) return no_memory(g);
    *kept = op;
    const sdw_tensor *touched[SDW_OP_TENSORS_MAX];
    for (int i = sdw_op_tensors(&op, touched) - 1; i >= 0; i--) touch(g, touched[i]);
    g->ops[g->op_count++] = kept;
    return op.out;
}

static void want(sdw_graph *g, bool ok, const char *what)
{
    if (!ok && !failed(g)) sdw_fail(&g->error, SDW_INTERNAL, "%s: %s does not fit", g->prefix, what);
}

static bool is_vector(const sdw_weight *w, int64_t n)
{
    return !w || (w->role == SDW_ROLE_VECTOR && w->out == n);
}

static void want_pre(sdw_graph *g, const sdw_pre *pre, const sdw_tensor *x)
{
    const sdw_tensor *t = pre->coeffs;
    want(g, !t || (t->n == x->n && t->h == 1 && t->w == 1 && t->c == 2 * x->c), "coefficients of the input");
    want(g, pre->act == SDW_ACT_NONE || (t && pre->act == SDW_ACT_SILU), "activation of the input");
}

static bool fits_sums(const sdw_tensor *s, const sdw_tensor *x)
{
    return s->n == x->n && s->h == (x->h + SDW_SUMS_ROWS - 1) / SDW_SUMS_ROWS && s->w == (x->w + SDW_SUMS_COLUMNS - 1) / SDW_SUMS_COLUMNS &&
           s->c == 4 * x->c && s->row_stride == s->c;
}

sdw_tensor *sdw_conv2d(sdw_graph *g, const sdw_tensor *x, const sdw_conv2d_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    const sdw_weight *w = a->weight;
    int in_h = a->up_h ? a->up_h : x->h, in_w = a->up_w ? a->up_w : x->w;
    want(g, w->role == SDW_ROLE_CONV && w->in == x->c && (w->k == 1 || w->k == 3), "convolution weight");
    want(g, is_vector(a->bias, w->out), "bias");
    want(g, a->stride == 1 || a->stride == 2, "stride");
    want(g, !a->up_h == !a->up_w && in_h >= x->h && in_w >= x->w, "upsampled size");
    want_pre(g, &a->pre, x);
    if (failed(g)) return &g->nothing;
    int h = (in_h + a->pad_top + a->pad_bottom - w->k) / a->stride + 1;
    int wd = (in_w + a->pad_left + a->pad_right - w->k) / a->stride + 1;
    int co = (int)w->out;
    out = output(g, out, x->n, h, wd, co);
    want(g, !a->residual || same_shape(a->residual, out), "residual");
    want(g, !a->lane_add || (a->lane_add->n == x->n && a->lane_add->c == co && a->lane_add->h * a->lane_add->w == 1), "lane vector");
    want(g, !a->sums || fits_sums(a->sums, out), "sums");
    sdw_op op = { .kind = SDW_OP_conv2d, .in = x, .out = out, .args.conv2d = *a };
    op.flop = 2.0 * (double)sdw_tensor_rows(out) * co * (double)(w->in * w->k * w->k);
    append(g, op);
    if (failed(g)) return &g->nothing;
    out->sums = a->sums;
    out->writer = g->op_count - 1;
    return out;
}

sdw_tensor *sdw_linear(sdw_graph *g, const sdw_tensor *x, const sdw_linear_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    const sdw_weight *w = a->weight;
    want(g, w->role == SDW_ROLE_MATRIX && w->in == x->c, "matrix");
    want(g, is_vector(a->bias, w->out), "bias");
    want_pre(g, &a->pre, x);
    out = output(g, out, x->n, x->h, x->w, (int)w->out);
    want(g, !a->residual || same_shape(a->residual, out), "residual");
    sdw_op op = { .kind = SDW_OP_linear, .in = x, .out = out, .args.linear = *a };
    op.flop = 2.0 * (double)sdw_tensor_rows(x) * (double)(w->in * w->out);
    return append(g, op);
}

sdw_tensor *sdw_glu(sdw_graph *g, const sdw_tensor *x, const sdw_glu_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    const sdw_weight *w = a->weight;
    want(g, w->role == SDW_ROLE_GLU && w->in == x->c && w->out % 2 == 0, "pair of matrices");
    want(g, is_vector(a->bias, w->out), "bias");
    out = output(g, out, x->n, x->h, x->w, (int)(w->out / 2));
    sdw_op op = { .kind = SDW_OP_glu, .in = x, .out = out, .args.glu = *a };
    op.flop = 2.0 * (double)sdw_tensor_rows(x) * (double)(w->in * w->out);
    return append(g, op);
}

sdw_tensor *sdw_attention(sdw_graph *g, const sdw_tensor *q, const sdw_attention_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    const sdw_tensor *k = a->k, *v = a->v;
    want(g, a->heads >= 1 && q->c % a->heads == 0 && q->c / a->heads <= 512, "head count");
    want(g, same_shape(k, v) && k->n == q->n && k->c == q->c, "keys and values");
    want(g, !a->kv_len || (a->kv_len->n == q->n && a->kv_len->c * a->kv_len->h * a->kv_len->w == 1), "key counts");
    out = output(g, out, q->n, q->h, q->w, q->c);
    sdw_op op = { .kind = SDW_OP_attention, .in = q, .out = out, .args.attention = *a };
    op.flop = 4.0 * (double)sdw_tensor_rows(q) * k->h * k->w * q->c;
    return append(g, op);
}

/* The sums that x comes with, or that the convolution which wrote it is asked for now; NULL: neither. */
static const sdw_tensor *sums_of(sdw_graph *g, const sdw_tensor *x)
{
    if (x->sums || x->writer < 0 || failed(g)) return x->sums;
    sdw_tensor *sums = sdw_graph_sums(g, x->n, x->h, x->w, x->c);
    if (failed(g)) return NULL;
    g->blocks[sums->block].first_op = x->writer;
    g->ops[x->writer]->args.conv2d.sums = sums;
    return sums;
}

sdw_tensor *sdw_group_norm(sdw_graph *g, const sdw_tensor *x, const sdw_norm_args *a)
{
    if (failed(g)) return &g->nothing;
    want(g, a->groups >= 1 && x->c % a->groups == 0, "group count");
    want(g, a->gamma && a->beta && is_vector(a->gamma, x->c) && is_vector(a->beta, x->c), "gamma and beta");
    const sdw_tensor *sums = sums_of(g, x);
    sdw_tensor *out = output(g, NULL, x->n, 1, 1, 2 * x->c);
    return append(g, (sdw_op){ .kind = SDW_OP_group_norm, .in = x, .in2 = sums, .out = out, .args.norm = *a });
}

sdw_tensor *sdw_layer_norm(sdw_graph *g, const sdw_tensor *x, const sdw_norm_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    want(g, !a->gamma == !a->beta && is_vector(a->gamma, x->c) && is_vector(a->beta, x->c), "gamma and beta");
    out = output(g, out, x->n, x->h, x->w, x->c);
    return append(g, (sdw_op){ .kind = SDW_OP_layer_norm, .in = x, .out = out, .args.norm = *a });
}

sdw_tensor *sdw_embed(sdw_graph *g, const sdw_tensor *ids, const sdw_embed_args *a, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    int tokens = ids->h * ids->w, c = (int)a->table->in;
    want(g, ids->c == 1 && a->table->role == SDW_ROLE_TABLE, "ids and table");
    want(g, !a->positions || (a->positions->role == SDW_ROLE_TABLE && a->positions->in == c && a->positions->out >= tokens), "positions");
    out = output(g, out, ids->n, tokens, 1, c);
    return append(g, (sdw_op){ .kind = SDW_OP_embed, .in = ids, .out = out, .args.embed = *a });
}

sdw_tensor *sdw_time_embed(sdw_graph *g, const sdw_tensor *values, int dim, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    want(g, dim >= 2 && dim % 2 == 0 && values->h * values->w == 1, "sinusoid width");
    out = output(g, out, values->n, 1, 1, values->c * dim);
    return append(g, (sdw_op){ .kind = SDW_OP_time_embed, .in = values, .out = out, .args.time_embed.dim = dim });
}

sdw_tensor *sdw_gather_rows(sdw_graph *g, const sdw_tensor *x, const sdw_tensor *index, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    want(g, index->n == x->n && index->h * index->w * index->c == 1, "row index");
    out = output(g, out, x->n, 1, 1, x->c);
    return append(g, (sdw_op){ .kind = SDW_OP_gather_rows, .in = x, .in2 = index, .out = out });
}

sdw_tensor *sdw_activate(sdw_graph *g, const sdw_tensor *x, sdw_act act, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    out = output(g, out, x->n, x->h, x->w, x->c);
    return append(g, (sdw_op){ .kind = SDW_OP_act, .in = x, .out = out, .args.act.kind = act });
}

sdw_tensor *sdw_add(sdw_graph *g, const sdw_tensor *a, const sdw_tensor *b, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    want(g, same_shape(a, b), "second term");
    out = output(g, out, a->n, a->h, a->w, a->c);
    return append(g, (sdw_op){ .kind = SDW_OP_add, .in = a, .in2 = b, .out = out });
}

sdw_tensor *sdw_copy(sdw_graph *g, const sdw_tensor *x, sdw_tensor *out)
{
    if (failed(g)) return &g->nothing;
    out = output(g, out, x->n, x->h, x->w, x->c);
    return append(g, (sdw_op){ .kind = SDW_OP_copy, .in = x, .out = out });
}

/* ---- bytes ---- */

static double tensor_bytes(const sdw_tensor *t)
{
    if (t && t->packed_bytes) return (double)t->packed_bytes;
    return t ? 4.0 * (double)sdw_tensor_rows(t) * t->c : 0;
}

static double weight_bytes(const sdw_weight *w)
{
    return w ? (double)w->packed_bytes : 0;
}

static double args_bytes(const sdw_op *op)
{
    switch (op->kind) {
    case SDW_OP_conv2d: {
        const sdw_conv2d_args *a = &op->args.conv2d;
        return weight_bytes(a->weight) + weight_bytes(a->bias) + tensor_bytes(a->lane_add) + tensor_bytes(a->residual) + tensor_bytes(a->pre.coeffs);
    }
    case SDW_OP_linear: {
        const sdw_linear_args *a = &op->args.linear;
        return weight_bytes(a->weight) + weight_bytes(a->bias) + tensor_bytes(a->residual) + tensor_bytes(a->pre.coeffs);
    }
    case SDW_OP_glu: return weight_bytes(op->args.glu.weight) + weight_bytes(op->args.glu.bias);
    case SDW_OP_attention: return tensor_bytes(op->args.attention.k) + tensor_bytes(op->args.attention.v);
    case SDW_OP_group_norm:
    case SDW_OP_layer_norm: return weight_bytes(op->args.norm.gamma) + weight_bytes(op->args.norm.beta);
    default: return 0;
    }
}

void sdw_op_bytes(const sdw_op *op, double *ret_read, double *ret_written)
{
    bool picked = op->kind == SDW_OP_gather_rows || op->kind == SDW_OP_embed; /* as many rows as come out */
    bool summed = op->kind == SDW_OP_group_norm && op->in2;
    double in = picked ? tensor_bytes(op->out) : summed ? 0 : tensor_bytes(op->in);
    *ret_read = in + tensor_bytes(op->in2) + args_bytes(op);
    *ret_written = tensor_bytes(op->out) + (op->kind == SDW_OP_conv2d ? tensor_bytes(op->args.conv2d.sums) : 0);
}
