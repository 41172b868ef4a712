/* waker.c - see server.h. A wake costs the engine's thread one short lock and at most one system call, however many
 * readers there are; resuming them is the loop's work. */
#include "server/waker.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/mem.h"

struct sdw_waker {
    int fd;
    pthread_mutex_t mutex; /* guards the rest */
    bool signalled;        /* news were written to fd since the last take */
    bool nudged;           /* the same of a nudge */
    sdw_wakes pending;
};

sdw_waker *sdw_waker_create(void)
{
    sdw_waker *w = sdw_calloc(1, sizeof *w);
    if (!w) return NULL;
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0) {
        sdw_free(w);
        return NULL;
    }
    pthread_mutex_init(&w->mutex, NULL);
    return w;
}

void sdw_waker_free(sdw_waker *w)
{
    if (!w) return;
    close(w->fd);
    pthread_mutex_destroy(&w->mutex);
    sdw_free(w);
}

int sdw_waker_fd(const sdw_waker *w)
{
    return w->fd;
}

uint32_t sdw_job_hash(const sdw_job_id *id)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *t = id->text; *t; t++) hash = (hash ^ (unsigned char)*t) * 16777619u;
    return hash;
}

static void add(sdw_wakes *p, const sdw_job_id *id)
{
    uint32_t hash = sdw_job_hash(id);
    for (int i = 0; i < p->count; i++)
        if (p->hash[i] == hash && strcmp(p->job[i].text, id->text) == 0) return;
    if (p->count == SDW_WAKER_JOBS_MAX) {
        p->all = true;
        return;
    }
    p->hash[p->count] = hash;
    p->job[p->count++] = *id;
}

/* Lock held. */
static void signal_once(sdw_waker *w, bool *done)
{
    const uint64_t one = 1;
    if (*done) return;
    *done = true;
    ssize_t n = write(w->fd, &one, sizeof one);
    (void)n; /* the counter is far from full */
}

void sdw_waker_wake(void *waker, const sdw_job_id *id)
{
    sdw_waker *w = waker;
    pthread_mutex_lock(&w->mutex);
    if (id) add(&w->pending, id);
    else w->pending.all = true;
    signal_once(w, &w->signalled);
    pthread_mutex_unlock(&w->mutex);
}

void sdw_waker_nudge(sdw_waker *w)
{
    pthread_mutex_lock(&w->mutex);
    signal_once(w, &w->nudged);
    pthread_mutex_unlock(&w->mutex);
}

bool sdw_waker_take_nudge(sdw_waker *w, bool *ret_news)
{
    pthread_mutex_lock(&w->mutex);
    bool nudged = w->nudged;
    *ret_news = w->signalled;
    w->nudged = false;
    pthread_mutex_unlock(&w->mutex);
    return nudged;
}

void sdw_waker_take(sdw_waker *w, sdw_wakes *ret)
{
    pthread_mutex_lock(&w->mutex);
    ret->count = w->pending.count;
    ret->all = w->pending.all;
    memcpy(ret->job, w->pending.job, sizeof ret->job[0] * (size_t)w->pending.count);
    memcpy(ret->hash, w->pending.hash, sizeof ret->hash[0] * (size_t)w->pending.count);
    w->pending.count = 0;
    w->pending.all = false;
    w->signalled = false;
    pthread_mutex_unlock(&w->mutex);
}
