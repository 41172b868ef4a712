/* bands.c - see bands.h. */
#include "model/bands.h"

#include <math.h>

/* About 0.1 to 0.2 s of two cores: a thirtieth of a decode at 512 x 512. */
const sdw_bands sdw_bands_usual = { .flop_max = 80e9, .slide_rows = 64 };
const sdw_bands sdw_bands_none = { .flop_max = INFINITY };

/* Rows of a band when all h of them cost `flop`. */
static int band_rows(const sdw_bands *k, int h, double flop)
{
    double bands = flop < k->flop_max ? 1 : ceil(flop / k->flop_max);
    int rows = bands < h ? (int)ceil(h / bands) : 1;
    return (rows + SDW_SUMS_ROWS - 1) / SDW_SUMS_ROWS * SDW_SUMS_ROWS;
}

/* End of the band that begins at y. A remainder of less than a row of tiles joins the band before it: alone it might be computed by
 * another algorithm than the whole picture is. */
static int band_end(int y, int rows, int h)
{
    return h - y - rows < SDW_SUMS_ROWS ? h : y + rows;
}

/* ---- convolutions ---- */

/* Rows [y0, y1) of `out`: the input rows that they need, and where those end at the border of the picture. */
static void record_band(sdw_graph *g, const sdw_tensor *x, const sdw_conv2d_args *whole, sdw_tensor *out, int y0, int y1)
{
    sdw_conv2d_args a = *whole;
    bool first = y0 == 0, last = y1 == out->h;
    int up = a.up_h ? 2 : 1, x0 = first ? 0 : y0 / up - 1, x1 = last ? x->h : y1 / up + 1;
    if (a.up_h) a.up_h = up * (x1 - x0);
    a.pad_top = first ? 1 : 1 - up; /* a doubled row above the band is one too many */
    a.pad_bottom = last ? 1 : 1 - up;
    if (a.residual) a.residual = sdw_rows(g, a.residual, y0, y1 - y0);
    if (a.sums) a.sums = sdw_rows(g, a.sums, y0 / SDW_SUMS_ROWS, (y1 - y0 + SDW_SUMS_ROWS - 1) / SDW_SUMS_ROWS);
    sdw_conv2d(g, sdw_rows(g, x, x0, x1 - x0), &a, sdw_rows(g, out, y0, y1 - y0));
}

sdw_tensor *sdw_record_conv_bands(sdw_graph *g, const sdw_bands *k, const sdw_tensor *x, const sdw_conv2d_args *a, sdw_tensor *out)
{
    int h = a->up_h ? a->up_h : x->h, w = a->up_w ? a->up_w : x->w, side = a->weight->k;
    double flop = 2.0 * h * w * (double)(a->weight->in * a->weight->out * side * side);
    int rows = band_rows(k, h, flop);
    if (rows >= h) return sdw_conv2d(g, x, a, out);
    if (!out) out = sdw_graph_tensor(g, x->n, h, w, (int)a->weight->out);
    for (int y = 0, end; y < h; y = end) {
        end = band_end(y, rows, h);
        record_band(g, x, a, out, y, end);
    }
    out->sums = a->sums;
    out->writer = -1;
    return out;
}

/* ---- resnet blocks ---- */

static sdw_conv2d_args conv_args(const sdw_affine *c, sdw_pre pre)
{
    return (sdw_conv2d_args){ .weight = c->w, .bias = c->b, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .pre = pre };
}

static sdw_pre norm_of(sdw_graph *g, const sdw_resnet *r, const sdw_affine *norm, const sdw_tensor *x)
{
    return sdw_record_norm(g, norm, x, r->groups, r->eps, SDW_ACT_SILU);
}

/* From the first convolution's result on. */
static sdw_tensor *record_second_half(sdw_graph *g, const sdw_bands *k, const sdw_resnet *r, const sdw_tensor *inner, const sdw_tensor *skip, sdw_tensor *out)
{
    sdw_conv2d_args a = conv_args(&r->conv2, norm_of(g, r, &r->norm2, inner));
    a.residual = skip;
    a.sums = sdw_graph_sums(g, 1, inner->h, inner->w, r->out);
    return sdw_record_conv_bands(g, k, inner, &a, out);
}

sdw_tensor *sdw_record_resnet_bands(sdw_graph *g, const sdw_bands *k, const sdw_resnet *r, sdw_tensor *x, sdw_tensor *inner, sdw_tensor *out)
{
    sdw_conv2d_args a = conv_args(&r->conv1, norm_of(g, r, &r->norm1, x));
    a.sums = sdw_graph_sums(g, 1, x->h, x->w, r->out);
    inner = sdw_record_conv_bands(g, k, x, &a, inner);
    if (r->in == r->out) return record_second_half(g, k, r, inner, x, out);
    sdw_tensor *skip = sdw_linear(g, x, &(sdw_linear_args){ .weight = r->shortcut.w, .bias = r->shortcut.b }, out);
    return record_second_half(g, k, r, inner, skip, skip);
}

/* ---- sliding ---- */

/* The result of a band lies further above its input than the band is high, so it touches no row that this band or a later one reads:
 * one row above their own. */
enum { BEYOND = SDW_SUMS_ROWS };

bool sdw_slides(const sdw_bands *k, const sdw_resnet *r, int h)
{
    return k->slide_rows > 0 && r->in == 2 * r->out && h >= 4 * k->slide_rows;
}

sdw_slide sdw_slide_create(sdw_graph *g, const sdw_bands *k, int h, int w, int channels)
{
    int above = k->slide_rows + BEYOND;
    sdw_tensor *all = sdw_graph_tensor(g, 1, h + above, w, channels), *top = sdw_rows(g, all, 0, h);
    return (sdw_slide){ .input = sdw_rows(g, all, above, h), .left = sdw_columns(g, top, 0, channels / 2), .right = sdw_columns(g, top, channels / 2, channels / 2) };
}

sdw_tensor *sdw_record_sliding_resnet(sdw_graph *g, const sdw_bands *k, const sdw_resnet *r, const sdw_slide *s)
{
    int h = s->input->h;
    sdw_conv2d_args a = conv_args(&r->conv1, norm_of(g, r, &r->norm1, s->input));
    sdw_linear_args shortcut = { .weight = r->shortcut.w, .bias = r->shortcut.b };
    a.sums = sdw_graph_sums(g, 1, h, s->input->w, r->out);
    for (int y = 0, end; y < h; y = end) {
        end = band_end(y, k->slide_rows, h);
        record_band(g, s->input, &a, s->left, y, end);
        sdw_linear(g, sdw_rows(g, s->input, y, end - y), &shortcut, sdw_rows(g, s->right, y, end - y));
    }
    s->left->sums = a.sums;
    return record_second_half(g, k, r, s->left, s->right, s->right);
}

/* ---- attention ---- */

sdw_tensor *sdw_record_attention_bands(sdw_graph *g, const sdw_bands *k, const sdw_tensor *q, const sdw_attention_args *a)
{
    double queries = (double)q->h * q->w, keys = (double)a->k->h * a->k->w;
    int rows = band_rows(k, q->h, 4 * queries * keys * q->c);
    if (rows >= q->h) return sdw_attention(g, q, a, NULL);
    sdw_tensor *out = sdw_graph_tensor(g, q->n, q->h, q->w, q->c);
    for (int y = 0, end; y < q->h; y = end) {
        end = band_end(y, rows, q->h);
        sdw_attention(g, sdw_rows(g, q, y, end - y), a, sdw_rows(g, out, y, end - y));
    }
    return out;
}
