/* desk.c - a few threads for handlers that read or write files or decode pictures. The loop never waits for them. */
#include "core/mem.h"
#include "server/impl.h"

static sdw_exchange *next(sdw_desk *d)
{
    pthread_mutex_lock(&d->mutex);
    while (!d->first && !d->stop) pthread_cond_wait(&d->news, &d->mutex);
    sdw_exchange *x = d->stop ? NULL : d->first;
    if (x) {
        d->first = x->desk_next;
        if (!d->first) d->last = NULL;
        x->desk_next = NULL;
    }
    pthread_mutex_unlock(&d->mutex);
    return x;
}

static void *desk_main(void *arg)
{
    for (sdw_exchange *x; (x = next(arg)) != NULL;) sdw_exchange_work(x);
    return NULL;
}

sdw_status sdw_desk_start(sdw_desk *d, int threads, sdw_error *err)
{
    *d = (sdw_desk){ .thread = sdw_calloc((size_t)threads, sizeof *d->thread) };
    if (!d->thread) return sdw_fail_memory(err, "desk threads", (size_t)threads * sizeof *d->thread);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->news, NULL);
    for (; d->threads < threads; d->threads++)
        if (pthread_create(&d->thread[d->threads], NULL, desk_main, d) != 0)
            return sdw_fail(err, SDW_NO_MEMORY, "desk: the system gave %d of %d threads", d->threads, threads);
    return SDW_OK;
}

void sdw_desk_push(sdw_desk *d, sdw_exchange *x)
{
    pthread_mutex_lock(&d->mutex);
    x->desk_next = NULL;
    if (d->last) d->last->desk_next = x;
    else d->first = x;
    d->last = x;
    pthread_cond_signal(&d->news);
    pthread_mutex_unlock(&d->mutex);
}

bool sdw_desk_take_back(sdw_desk *d, sdw_exchange *x)
{
    bool found = false;
    pthread_mutex_lock(&d->mutex);
    sdw_exchange *before = NULL;
    for (sdw_exchange *at = d->first; at && !found; before = at, at = at->desk_next) {
        if (at != x) continue;
        found = true;
        if (before) before->desk_next = x->desk_next;
        else d->first = x->desk_next;
        if (d->last == x) d->last = before;
    }
    pthread_mutex_unlock(&d->mutex);
    return found;
}

void sdw_desk_stop(sdw_desk *d)
{
    if (!d->thread) return;
    pthread_mutex_lock(&d->mutex);
    d->stop = true;
    pthread_cond_broadcast(&d->news);
    pthread_mutex_unlock(&d->mutex);
    for (int i = 0; i < d->threads; i++) pthread_join(d->thread[i], NULL);
    pthread_cond_destroy(&d->news);
    pthread_mutex_destroy(&d->mutex);
    sdw_free(d->thread);
    d->thread = NULL;
}
