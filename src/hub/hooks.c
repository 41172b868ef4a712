/* hooks.c - see hooks.h. */
#include "hub/hooks.h"

#include <errno.h>
#include <time.h>

#define SLICE_MS 100

bool sdw_hub_cancelled(const sdw_hub_hooks *h)
{
    return h && h->cancelled && h->cancelled(h->ctx);
}

double sdw_hub_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

void sdw_hub_wait(const sdw_hub_hooks *h, unsigned milliseconds)
{
    if (h && h->wait) {
        h->wait(h->ctx, milliseconds);
        return;
    }
    while (milliseconds > 0 && !sdw_hub_cancelled(h)) {
        unsigned ms = milliseconds < SLICE_MS ? milliseconds : SLICE_MS;
        sleep_ms(ms);
        milliseconds -= ms;
    }
}
