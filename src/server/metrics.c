/* metrics.c - see metrics.h. */
#include "server/metrics.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "server/router.h"

/* Seconds; the last one is +Inf. */
static const double bucket_limit[] = { .001, .005, .025, .1, .5, 2, 10, 60, 300 };
#define LIMITS (sizeof bucket_limit / sizeof bucket_limit[0])
#define BUCKETS (LIMITS + 1)

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

/* ---- writing ---- */

static void write_codes(struct row *r, const char *path, const char *method, sdw_prom *p)
{
    char code[12] = "other";
    for (size_t i = 0; i < CODES; i++) {
        uint64_t n = atomic_load_explicit(&r->codes[i], memory_order_relaxed);
        if (n == 0) continue;
        if (i < CODES - 1) snprintf(code, sizeof code, "%d", status_code[i]);
        else snprintf(code, sizeof code, "other");
        sdw_prom_labels(p, "route", path, "method", method, "code", code, NULL);
        sdw_prom_count(p, n);
    }
}

/* Adds what row r counted; whether that was anything. */
static bool add_times(struct row *r, uint64_t buckets[BUCKETS], double *sum)
{
    bool any = false;
    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&r->buckets[i], memory_order_relaxed);
        buckets[i] += n;
        any = any || n > 0;
    }
    *sum += (double)atomic_load_explicit(&r->nanoseconds, memory_order_relaxed) * 1e-9;
    return any;
}

/* Several methods of one path are one series. */
static void write_times(sdw_metrics *m, const sdw_routes *const *tables, int index, sdw_prom *p)
{
    uint64_t buckets[BUCKETS] = { 0 };
    double sum = 0;
    const char *path = sdw_route_at(tables, index)->path;
    bool any = false;
    for (int i = 0; i < m->routes; i++) {
        if (strcmp(sdw_route_at(tables, i)->path, path) != 0) continue;
        if (i < index) return; /* written with that one */
        any = add_times(&m->row[i], buckets, &sum) || any;
    }
    if (!any) return;
    sdw_prom_labels(p, "route", path, NULL);
    sdw_prom_histogram(p, bucket_limit, LIMITS, buckets, sum);
}

void sdw_metrics_write(sdw_metrics *m, const sdw_routes *const *tables, sdw_prom *p)
{
    sdw_prom_family(p, "sdw_http_requests_total", SDW_PROM_COUNTER, "Requests answered, by route, method and status.");
    for (int i = 0; i < m->routes; i++) {
        const sdw_route *r = sdw_route_at(tables, i);
        write_codes(&m->row[i], r->path, r->method, p);
    }
    write_codes(&m->row[m->routes], "none", "other", p);
    sdw_prom_family(p, "sdw_http_request_duration_seconds", SDW_PROM_HISTOGRAM,
                    "From the first line of a request to the last byte of its answer.");
    for (int i = 0; i < m->routes; i++) write_times(m, tables, i, p);
    uint64_t buckets[BUCKETS] = { 0 };
    double sum = 0;
    if (!add_times(&m->row[m->routes], buckets, &sum)) return;
    sdw_prom_labels(p, "route", "none", NULL);
    sdw_prom_histogram(p, bucket_limit, LIMITS, buckets, sum);
}
