/* beta_distribution.c - incomplete beta by its continued fraction, the inverse by bisection. */
#include "diffusion/beta_distribution.h"

#include <float.h>
#include <math.h>

/* DLMF 8.17.22, evaluated by Lentz's method. Converges fast for x < (a + 1) / (a + b + 2). */
static double fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step = 1;
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            if (fabs(c) < tiny) c = tiny;
            step = c * d;
            f *= step;
        }
        if (fabs(step - 1) < DBL_EPSILON) break;
    }
    return f;
}

double sdw_beta_cdf(double x, double a, double b)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    /* tgamma, not lgamma: the latter writes a global. */
    double front = pow(x, a) * pow(1 - x, b) * (tgamma(a + b) / (tgamma(a) * tgamma(b)));
    if (x < (a + 1) / (a + b + 2)) return front * fraction(x, a, b) / a;
    return 1 - front * fraction(1 - x, b, a) / b;
}

double sdw_beta_quantile(double p, double a, double b)
{
    if (!(p > 0)) return 0;
    if (p >= 1) return 1;
    if (p > 0.5) return 1 - sdw_beta_quantile(1 - p, b, a); /* small x keep all their digits */
    double low = 0, high = 1;
    for (int i = 0; i < 1200 && high - low > DBL_EPSILON * high; i++) {
        double middle = low + (high - low) / 2;
        if (sdw_beta_cdf(middle, a, b) < p) low = middle;
        else high = middle;
    }
    return low + (high - low) / 2;
}
