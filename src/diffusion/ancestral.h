/* ancestral.h - splitting a step into a longer deterministic one and fresh noise.
 * Going from sigma `from` to `to`: step to `down`, then add `up` * noise, with up^2 + down^2 = to^2 and
 * up^2 = to^2 (from^2 - to^2) / from^2 (the posterior's variance); hence down = to^2 / from. */
#ifndef SDW_DIFFUSION_ANCESTRAL_H
#define SDW_DIFFUSION_ANCESTRAL_H

#include <math.h>

static inline double sdw_ancestral_down(double from, double to)
{
    return to * to / from;
}

static inline double sdw_ancestral_up(double from, double to)
{
    return to * sqrt(fmax(1 - to * to / (from * from), 0));
}

#endif
