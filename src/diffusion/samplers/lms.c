/* lms.c - linear multi-step in sigma: the slope is extrapolated by the polynomial through the last (at most four)
 * slopes and integrated over the step (k-diffusion's sample_lms).
 *
 * The order counts the slopes that this run has. The reference counts timetable entries instead, so that image to
 * image there starts with fourth-order weights and a single slope; we do not follow it in that. */
#include "diffusion/sampler.h"

#include <math.h>

enum { ORDER = 4 };

/* The Lagrange basis polynomial `which` through nodes[0..order-1], at x. */
static double basis(const double *nodes, int order, int which, double x)
{
    double product = 1;
    for (int k = 0; k < order; k++)
        if (k != which) product *= (x - nodes[k]) / (nodes[which] - nodes[k]);
    return product;
}

/* Its integral: two-point Gauss-Legendre is exact for degree 3. */
static double integral(const double *nodes, int order, int which, double from, double to)
{
    double middle = (from + to) / 2, half = (to - from) / 2, offset = half / sqrt(3);
    return half * (basis(nodes, order, which, middle - offset) + basis(nodes, order, which, middle + offset));
}

static void stage(sdw_sampler_run *r)
{
    double here = r->sigmas[r->call], to = r->sigmas[r->call + 1];
    float *oldest = r->scratch[ORDER - 1];
    sdw_combine(oldest, r->elements, (sdw_term[]){ { 1 / here, r->state }, { -1 / here, r->estimate } }, 2);
    for (int i = ORDER - 1; i > 0; i--) r->scratch[i] = r->scratch[i - 1];
    r->scratch[0] = oldest;
    if (r->history < ORDER) r->history++;

    double nodes[ORDER];
    int order = 0; /* equal sigmas (very many steps) have no polynomial through them */
    while (order < r->history && (order == 0 || r->sigmas[r->call - order] != r->sigmas[r->call - order + 1])) {
        nodes[order] = r->sigmas[r->call - order];
        order++;
    }
    sdw_term terms[ORDER + 1] = { { 1, r->state } };
    for (int i = 0; i < order; i++) terms[i + 1] = (sdw_term){ integral(nodes, order, i, here, to), r->scratch[i] };
    sdw_combine(r->state, r->elements, terms, order + 1);
}

extern const sdw_sampler sdw_sampler_lms;
const sdw_sampler sdw_sampler_lms = {
    .name = "lms",
    .summary = "linear multi-step in sigma, fourth order",
    .label = "LMS",
    .class_name = "LMSDiscreteScheduler",
    .timetable = SDW_TIMETABLE_SIGMA,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_SIGMA_KEYS,
    .scratch_vectors = ORDER,
    .stage = stage,
};
