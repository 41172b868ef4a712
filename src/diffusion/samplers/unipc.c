/* unipc.c - Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework": a multistep predictor, and a corrector
 * that redoes the step before with the estimate found at its end. No extra model calls. B(h) is expm1(-h) (bh2) or
 * -h (bh1); estimates are of x0. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

/* scratch: 0..2 estimates, newest first; then the state before the last step */
enum { ORDER_MAX = 3, BEFORE = ORDER_MAX };

/* Solves a x = b of size n, rows of a overwritten; x in b. Vandermonde rows of distinct nodes: never singular. */
static void solve(double a[ORDER_MAX][ORDER_MAX], double *b, int n)
{
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int i = c + 1; i < n; i++)
            if (fabs(a[i][c]) > fabs(a[pivot][c])) pivot = i;
        for (int j = 0; j < n; j++) {
            double swap = a[c][j];
            a[c][j] = a[pivot][j];
            a[pivot][j] = swap;
        }
        double swap = b[c];
        b[c] = b[pivot];
        b[pivot] = swap;
        for (int i = c + 1; i < n; i++) {
            double f = a[i][c] / a[c][c];
            for (int j = c; j < n; j++) a[i][j] -= f * a[c][j];
            b[i] -= f * b[c];
        }
    }
    for (int c = n - 1; c >= 0; c--) {
        for (int j = c + 1; j < n; j++) b[c] -= a[c][j] * b[j];
        b[c] /= a[c][c];
    }
}

/* Weights rho of the paper's eq. 5: sum_k rho_k r_k^(i-1) = b_i for i = 1..count, nodes r in units of h. */
static void weights(double hh, double b_of_h, const double *nodes, int count, double *ret)
{
    double rows[ORDER_MAX][ORDER_MAX];
    double phi = expm1(hh) / hh - 1, factorial = 1;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < count; k++) rows[i][k] = pow(nodes[k], i);
        ret[i] = phi * factorial / b_of_h;
        factorial *= i + 2;
        phi = phi / hh - 1 / factorial;
    }
    solve(rows, ret, count);
}

/* Moves `from` from level index `start` to start + 1. Estimates at start, start - 1, ... are scratch[0], [1], ...;
 * `at_end` is the estimate at start + 1 for the corrector, NULL for the predictor. */
static void move(sdw_sampler_run *r, const float *from, int start, int order, const float *at_end)
{
    sdw_level s = sdw_level_of_sigma(r->sigmas[start]), t = sdw_level_of_sigma(r->sigmas[start + 1]);
    sdw_term terms[2 + ORDER_MAX] = { { t.sigma / s.sigma, from }, { t.alpha * (1 - t.k / s.k), r->scratch[0] } };
    int count = 2, others = order - 1;
    if (t.k < s.k && (others > 0 || at_end)) {
        double hh = log(t.k / s.k), b_of_h = r->bh1 ? hh : expm1(hh);
        double nodes[ORDER_MAX], rho[ORDER_MAX] = { 0.5 };
        for (int i = 0; i < others; i++) nodes[i] = log(s.k / r->sigmas[start - 1 - i]) / -hh;
        nodes[others] = 1;
        int unknowns = others + (at_end != NULL);
        if (at_end ? order > 1 : order > 2) weights(hh, b_of_h, nodes, unknowns, rho);
        for (int i = 0; i < unknowns; i++) {
            const float *estimate = i < others ? r->scratch[i + 1] : at_end;
            double factor = -t.alpha * b_of_h * rho[i] / nodes[i];
            terms[count++] = (sdw_term){ factor, estimate };
            terms[1].factor -= factor;
        }
    }
    sdw_combine(r->state, r->elements, terms, count);
}

/* Equal neighbouring sigmas (very many steps) lower the order: no slope goes through them. */
static int distinct_order(const sdw_sampler_run *r, int order)
{
    for (int i = 1; i < order; i++)
        if (r->sigmas[r->call - i] == r->sigmas[r->call - i + 1]) return i;
    return order;
}

static void stage(sdw_sampler_run *r)
{
    if (r->history > 0) move(r, r->scratch[BEFORE], r->call - 1, r->last_order, r->estimate);
    sdw_run_push(r, ORDER_MAX, r->estimate);
    if (r->history < r->order) r->history++;
    int order = r->history, left = r->calls - r->call;
    if (r->lower_order_final && left < order) order = left;
    if (r->sigmas[r->call + 1] == 0) order = 1; /* lambda is infinite there */
    r->last_order = distinct_order(r, order);
    memcpy(r->scratch[BEFORE], r->state, r->elements * sizeof(float));
    move(r, r->state, r->call, r->last_order, NULL);
}

extern const sdw_sampler sdw_sampler_unipc;
const sdw_sampler sdw_sampler_unipc = {
    .name = "unipc",
    .summary = "unified predictor-corrector, multistep, second order",
    .label = "UniPC",
    .class_name = "UniPCMultistepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_CHOICE | SDW_SAMPLER_SIGMA_KEYS
             | SDW_SAMPLER_ROUND_KARRAS,
    .order = 2,
    .scratch_vectors = ORDER_MAX + 1,
    .stage = stage,
};
