/* waker.h - the server's side of sdw_waker (server.h). */
#ifndef SDW_SERVER_WAKER_H
#define SDW_SERVER_WAKER_H

#include "server/server.h"

/* Between two looks of the loop there are rarely more than a few jobs with news; beyond that everything is woken. */
#define SDW_WAKER_JOBS_MAX 64

typedef struct sdw_wakes {
    sdw_job_id job[SDW_WAKER_JOBS_MAX];
    uint32_t hash[SDW_WAKER_JOBS_MAX]; /* sdw_job_hash of each */
    int count;
    bool all;
} sdw_wakes;

uint32_t sdw_job_hash(const sdw_job_id *id);

/* Readable once for each time that something was woken after the last take. */
int sdw_waker_fd(const sdw_waker *w);
/* What was woken since the last take. */
void sdw_waker_take(sdw_waker *w, sdw_wakes *ret);
/* Makes it readable without news. Any thread. */
void sdw_waker_nudge(sdw_waker *w);

#endif
