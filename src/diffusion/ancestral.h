/* ancestral.h - splitting a step into a longer deterministic one and fresh noise.
 * Going from sigma `from` to `to`: step to `down`, then add `up` * noise, with up^2 + down^2 = to^2 and
 * up^2 = to^2 (from^2 - to^2) / from^2 (the posterior's variance).
 *
 * down = to^2 / from would be exact. The reference takes the root of to^2 - up^2 in f32, which cancels: in a run of
 * two steps its DPM2 ancestral asks the model 0.01 timesteps elsewhere. So the same roundings happen here. */
#ifndef SDW_DIFFUSION_ANCESTRAL_H
#define SDW_DIFFUSION_ANCESTRAL_H

#include <math.h>

static inline double sdw_ancestral_up(double from, double to)
{
    float from2 = (float)from * (float)from, to2 = (float)to * (float)to;
    float difference = from2 - to2, product = to2 * difference, variance = product / from2;
    return variance > 0 ? (double)sqrtf(variance) : 0;
}

static inline double sdw_ancestral_down(double from, double to)
{
    float up = (float)sdw_ancestral_up(from, to), up2 = up * up, to2 = (float)to * (float)to, rest = to2 - up2;
    return rest > 0 ? (double)sqrtf(rest) : 0;
}

#endif
