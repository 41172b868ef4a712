/* dpm_solver.h - updates of DPM-Solver++ in lambda = log(alpha / sigma), shared by its samplers.
 * Lu et al. 2022, "DPM-Solver++", algorithms 1 and 2 and eq. 6 of its appendix for the third order; the stochastic form
 * is its section 5. */
#ifndef SDW_DIFFUSION_DPM_SOLVER_H
#define SDW_DIFFUSION_DPM_SOLVER_H

#include "diffusion/sampler.h"

/* One multistep stage of order at most r->order, estimates in scratch[0..r->order-1]. `sde`: with fresh noise. */
void sdw_dpm_multistep(sdw_sampler_run *r, bool sde);

/* state = `from` moved from level index `start` to `end` with the slope of estimates m0 (at index `middle`) and m1 (at
 * `start`); middle == start: first order, m1 unused. Indices are into r->sigmas. */
void sdw_dpm_second_order(sdw_sampler_run *r, const float *from, int start, int middle, int end, const float *m0,
                          const float *m1);

#endif
