/* midpoint.h - the two calls of DPM-Solver-2 in sigma (Karras et al. 2022 call it DPM2): half a step to the geometric
 * mean of the ends, then the whole step from its start with the slope found there. */
#ifndef SDW_DIFFUSION_MIDPOINT_H
#define SDW_DIFFUSION_MIDPOINT_H

#include "diffusion/sampler.h"

/* First call: keeps the state in scratch[0], moves it from sigma `from` to `to`. */
void sdw_midpoint_first(sdw_sampler_run *r, double from, double to);
/* Second call, made at `middle`: state = kept state moved from `from` to `to`, plus fresh * noise. */
void sdw_midpoint_second(sdw_sampler_run *r, double from, double middle, double to, double fresh);

#endif
