/* rate.h - bytes per second over the last few seconds, and the time that is left. One thread. */
#ifndef SDW_HUB_RATE_H
#define SDW_HUB_RATE_H

#include "hub/hooks.h"

#define SDW_HUB_RATE_SAMPLES 64

typedef struct sdw_hub_rate {
    double begin;
    struct {
        double time;
        uint64_t fetched;
    } samples[SDW_HUB_RATE_SAMPLES]; /* a ring */
    int first, count;
} sdw_hub_rate;

void sdw_hub_rate_init(sdw_hub_rate *r);
/* Fills seconds, bytes_per_second and seconds_left from bytes, bytes_done and bytes_fetched. */
void sdw_hub_rate_fill(sdw_hub_rate *r, sdw_hub_progress *p);

#endif
