/* loading.c - see loading.h. */
#include "server/loading.h"

#include <pthread.h>

#include "core/mem.h"

struct sdw_loading {
    pthread_mutex_t mutex; /* guards the rest */
    sdw_fetching now;
    uint64_t fetched;
};

sdw_loading *sdw_loading_create(void)
{
    sdw_loading *l = sdw_calloc(1, sizeof *l);
    if (l) pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void sdw_loading_free(sdw_loading *l)
{
    if (!l) return;
    pthread_mutex_destroy(&l->mutex);
    sdw_free(l);
}

void sdw_loading_set(sdw_loading *l, const sdw_fetching *f)
{
    pthread_mutex_lock(&l->mutex);
    l->now = *f;
    pthread_mutex_unlock(&l->mutex);
}

void sdw_loading_get(sdw_loading *l, sdw_fetching *ret)
{
    *ret = (sdw_fetching){ 0 };
    if (!l) return;
    pthread_mutex_lock(&l->mutex);
    *ret = l->now;
    pthread_mutex_unlock(&l->mutex);
}

void sdw_loading_count(sdw_loading *l, uint64_t *counted, uint64_t fetched)
{
    if (fetched < *counted) *counted = 0; /* another one has begun */
    pthread_mutex_lock(&l->mutex);
    l->fetched += fetched - *counted;
    pthread_mutex_unlock(&l->mutex);
    *counted = fetched;
}

uint64_t sdw_loading_fetched(sdw_loading *l)
{
    if (!l) return 0;
    pthread_mutex_lock(&l->mutex);
    uint64_t bytes = l->fetched;
    pthread_mutex_unlock(&l->mutex);
    return bytes;
}
