/* waker.h - the server's side of sdw_waker (server.h). */
#ifndef SDW_SERVER_WAKER_H
#define SDW_SERVER_WAKER_H

#include "server/server.h"

/* Between two looks of the watchdog there are rarely more than a few jobs with news; beyond that everything is woken. */
#define SDW_WAKER_JOBS_MAX 64

typedef struct sdw_wakes {
    sdw_job_id job[SDW_WAKER_JOBS_MAX];
    int count;
    bool all;
} sdw_wakes;

/* Waits until something was woken or `timeout_s` has passed; takes what there is. One waiting thread. */
void sdw_waker_wait(sdw_waker *w, double timeout_s, sdw_wakes *ret);

#endif
