/* prom.h - numbers as the Prometheus text format (0.0.4), or as OpenMetrics 1.0. A failed append sticks in the buffer.
 *
 *     sdw_prom_family(p, "sdw_jobs_total", SDW_PROM_COUNTER, "Jobs that ended.");
 *     sdw_prom_labels(p, "kind", "transform", "outcome", "completed", NULL);
 *     sdw_prom_value(p, 3);
 *     sdw_prom_finish(p);
 *
 * A family is written once, its series one after the other. */
#ifndef SDW_SERVER_PROM_H
#define SDW_SERVER_PROM_H

#include <stdint.h>

#include "core/buf.h"

typedef enum sdw_prom_type { SDW_PROM_COUNTER, SDW_PROM_GAUGE, SDW_PROM_HISTOGRAM } sdw_prom_type;

typedef struct sdw_prom {
    sdw_buf *out;
    bool open_metrics;
    const char *family;
    char labels[512]; /* of the next value, without braces */
} sdw_prom;

/* name: with "_total" for a counter. */
void sdw_prom_family(sdw_prom *p, const char *name, sdw_prom_type type, const char *help);
/* Pairs of name and value, then NULL; for the next value only. Values are escaped. */
#if defined(__GNUC__)
__attribute__((sentinel))
#endif
void sdw_prom_labels(sdw_prom *p, const char *name, ...);
void sdw_prom_value(sdw_prom *p, double value);
void sdw_prom_count(sdw_prom *p, uint64_t value);
/* bucket[i] counts what was at most limit[i] and above limit[i - 1]; bucket[count] the rest. */
void sdw_prom_histogram(sdw_prom *p, const double *limit, int count, const uint64_t *bucket, double sum);
/* The end of the text. */
void sdw_prom_finish(sdw_prom *p);

#endif
