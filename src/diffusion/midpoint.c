/* midpoint.c - see midpoint.h. */
#include "diffusion/midpoint.h"

#include <string.h>

void sdw_midpoint_first(sdw_sampler_run *r, double from, double to)
{
    double shrink = to / from;
    memcpy(r->scratch[0], r->state, r->elements * sizeof(float));
    sdw_combine(r->state, r->elements, (sdw_term[]){ { shrink, r->state }, { 1 - shrink, r->estimate } }, 2);
}

void sdw_midpoint_second(sdw_sampler_run *r, double from, double middle, double to, double fresh)
{
    double step = (to - from) / middle;
    sdw_combine(r->state, r->elements,
                (sdw_term[]){ { 1, r->scratch[0] }, { step, r->state }, { -step, r->estimate },
                              { fresh, r->noise } }, 4);
}
