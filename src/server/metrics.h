/* metrics.h - numbers of the server for GET /metrics. Counting is atomic adds, from any thread. */
#ifndef SDW_SERVER_METRICS_H
#define SDW_SERVER_METRICS_H

#include "server/http.h"
#include "server/prom.h"

typedef struct sdw_metrics sdw_metrics;

/* One row per route, and one for requests that met none. */
sdw_status sdw_metrics_create(int routes, sdw_metrics **ret, sdw_error *err);
void sdw_metrics_free(sdw_metrics *m);
/* route -1: none. */
void sdw_metrics_request(sdw_metrics *m, int route, int status, double seconds);
/* The families sdw_http_...; tables: those that the rows were counted by. */
void sdw_metrics_write(sdw_metrics *m, const sdw_routes *const *tables, sdw_prom *p);

#endif
