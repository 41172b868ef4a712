/* waker.c - see server.h. A wake costs the engine's thread one short lock and at most one signal, however many readers
 * there are; resuming them is the watchdog's work. */
#include "server/waker.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"

struct sdw_waker {
    pthread_mutex_t mutex; /* guards pending */
    pthread_cond_t news;
    sdw_wakes pending;
};

sdw_waker *sdw_waker_create(void)
{
    sdw_waker *w = sdw_calloc(1, sizeof *w);
    pthread_condattr_t clock;
    if (!w) return NULL;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->news, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&w->mutex, NULL);
    return w;
}

void sdw_waker_free(sdw_waker *w)
{
    if (!w) return;
    pthread_cond_destroy(&w->news);
    pthread_mutex_destroy(&w->mutex);
    sdw_free(w);
}

static void add(sdw_wakes *p, const sdw_job_id *id)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->job[i].text, id->text) == 0) return;
    if (p->count < SDW_WAKER_JOBS_MAX) p->job[p->count++] = *id;
    else p->all = true;
}

void sdw_waker_wake(void *waker, const sdw_job_id *id)
{
    sdw_waker *w = waker;
    pthread_mutex_lock(&w->mutex);
    bool first = w->pending.count == 0 && !w->pending.all;
    if (id) add(&w->pending, id);
    else w->pending.all = true;
    if (first) pthread_cond_signal(&w->news);
    pthread_mutex_unlock(&w->mutex);
}

void sdw_waker_wait(sdw_waker *w, double timeout_s, sdw_wakes *ret)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double at = (double)until.tv_nsec * 1e-9 + timeout_s;
    until.tv_sec += (time_t)at;
    until.tv_nsec = (long)((at - (double)(time_t)at) * 1e9);
    pthread_mutex_lock(&w->mutex);
    int late = 0;
    while (w->pending.count == 0 && !w->pending.all && !late) late = pthread_cond_timedwait(&w->news, &w->mutex, &until);
    ret->count = w->pending.count;
    ret->all = w->pending.all;
    memcpy(ret->job, w->pending.job, sizeof ret->job[0] * (size_t)w->pending.count);
    w->pending.count = 0;
    w->pending.all = false;
    pthread_mutex_unlock(&w->mutex);
}
