/* metrics.c - see metrics.h. */
#include "server/metrics.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/mem.h"

/* Seconds; the last one is +Inf. */
static const double bucket_limit[] = { .001, .005, .025, .1, .5, 2, 10, 60, 300 };
#define BUCKETS (sizeof bucket_limit / sizeof bucket_limit[0] + 1)

static const int status_code[] = { 200, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 416, 421, 422, 429, 431, 500, 501, 503 };
#define CODES (sizeof status_code / sizeof status_code[0] + 1) /* the last one counts all others */

struct row {
    atomic_uint_fast64_t codes[CODES], buckets[BUCKETS], nanoseconds;
};

struct sdw_metrics {
    int routes;
    struct row row[]; /* routes + 1; the last one for requests without a route */
};

sdw_status sdw_metrics_create(int routes, sdw_metrics **ret, sdw_error *err)
{
    size_t size = sizeof(sdw_metrics) + ((size_t)routes + 1) * sizeof(struct row);
    sdw_metrics *m = sdw_calloc(1, size);
    if (!m) return sdw_fail_memory(err, "metrics", size);
    m->routes = routes;
    *ret = m;
    return SDW_OK;
}

void sdw_metrics_free(sdw_metrics *m)
{
    sdw_free(m);
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void sdw_metrics_request(sdw_metrics *m, int route, int status, double seconds)
{
    struct row *r = &m->row[route < 0 ? m->routes : route];
    size_t code = 0, bucket = 0;
    while (code < CODES - 1 && status_code[code] != status) code++;
    while (bucket < BUCKETS - 1 && seconds > bucket_limit[bucket]) bucket++;
    count(&r->codes[code], 1);
    count(&r->buckets[bucket], 1);
    count(&r->nanoseconds, seconds > 0 ? (uint64_t)(seconds * 1e9) : 0);
}
