/* beta_distribution.h - quantiles of the beta distribution. */
#ifndef SDW_DIFFUSION_BETA_DISTRIBUTION_H
#define SDW_DIFFUSION_BETA_DISTRIBUTION_H

/* P(X <= x) for 0 <= x <= 1 and shapes a, b in (0, 50]: the regularised incomplete beta function. */
double sdw_beta_cdf(double x, double a, double b);
/* The x with cdf(x) = p; 0 and 1 for p at or beyond the ends. Good to 1e-12 for shapes near 1. */
double sdw_beta_quantile(double p, double a, double b);

#endif
