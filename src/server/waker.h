/* waker.h - the server's side of sdw_waker (server.h). */
#ifndef SDW_SERVER_WAKER_H
#define SDW_SERVER_WAKER_H

#include "server/server.h"

/* Jobs with news between two looks of the loop; beyond that everything is woken. More than may run and wait at once. */
#define SDW_WAKER_JOBS_MAX 256

typedef struct sdw_wakes {
    sdw_job_id job[SDW_WAKER_JOBS_MAX];
    uint32_t hash[SDW_WAKER_JOBS_MAX]; /* sdw_job_hash of each */
    int count;
    bool all;
} sdw_wakes;

uint32_t sdw_job_hash(const sdw_job_id *id);

/* Readable once for the first news after a take, and once for the first nudge after one was taken. */
int sdw_waker_fd(const sdw_waker *w);
/* What was woken since the last take. */
void sdw_waker_take(sdw_waker *w, sdw_wakes *ret);
/* Something else than news wants the loop, at once. Any thread. */
void sdw_waker_nudge(sdw_waker *w);
/* Whether there was a nudge since the last call, and whether news wait. */
bool sdw_waker_take_nudge(sdw_waker *w, bool *ret_news);

#endif
