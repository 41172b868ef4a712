/* rate.c - see rate.h. */
#include "hub/rate.h"

#define WINDOW_S 5.0

void sdw_hub_rate_init(sdw_hub_rate *r)
{
    *r = (sdw_hub_rate){ .begin = sdw_hub_now() };
}

/* Keeps the samples of the window, and one that is older, so that the window is spanned. */
static void add_sample(sdw_hub_rate *r, double now, uint64_t fetched)
{
    while (r->count > 1 && (r->count == SDW_HUB_RATE_SAMPLES || now - r->samples[(r->first + 1) % SDW_HUB_RATE_SAMPLES].time > WINDOW_S)) {
        r->first = (r->first + 1) % SDW_HUB_RATE_SAMPLES;
        r->count--;
    }
    int at = (r->first + r->count++) % SDW_HUB_RATE_SAMPLES;
    r->samples[at].time = now;
    r->samples[at].fetched = fetched;
}

void sdw_hub_rate_fill(sdw_hub_rate *r, sdw_hub_progress *p)
{
    double now = sdw_hub_now();
    add_sample(r, now, p->bytes_fetched);
    double span = now - r->samples[r->first].time;
    uint64_t moved = p->bytes_fetched - r->samples[r->first].fetched;
    p->seconds = now - r->begin;
    p->bytes_per_second = span > 0.2 ? (double)moved / span : 0;
    p->seconds_left = -1;
    if (p->bytes == 0) return;
    if (p->bytes_done >= p->bytes) p->seconds_left = 0;
    else if (p->bytes_per_second >= 1) p->seconds_left = (double)(p->bytes - p->bytes_done) / p->bytes_per_second;
}
