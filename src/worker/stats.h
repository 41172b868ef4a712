/* stats.h - counting what sdw_worker_stats tells. One mutex of its own, held for some additions; any thread. */
#ifndef SDW_WORKER_STATS_H
#define SDW_WORKER_STATS_H

#include <pthread.h>

#include "sdw/worker.h"

typedef struct sdw_stats {
    pthread_mutex_t mutex; /* guards the rest */
    sdw_worker_stats sum;
} sdw_stats;

void sdw_stats_init(sdw_stats *s);
void sdw_stats_finish(sdw_stats *s);
/* A job ended. */
typedef struct sdw_stats_end {
    sdw_job_kind kind;
    sdw_job_status outcome;
    const char *model;
    int pictures;
    double queue_s;       /* from its POST to its start or end */
    double run_s;         /* < 0: it never started */
} sdw_stats_end;
void sdw_stats_job(sdw_stats *s, const sdw_stats_end *e);
void sdw_stats_stage(sdw_stats *s, sdw_stage stage, double seconds);
/* The stage that a unit of this phase belongs to. */
sdw_stage sdw_stage_of(sdw_phase phase);
void sdw_stats_preview(sdw_stats *s);
void sdw_stats_hits(sdw_stats *s, sdw_cache cache, uint64_t count);

#endif
