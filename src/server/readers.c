/* readers.c - see readers.h. A small table under a mutex; a row exists while a job has readers or has lost its last one. */
#include "server/readers.h"

#include <pthread.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"

typedef struct row {
    sdw_job_id id;
    int readers;
    double gone_since; /* monotonic seconds; when readers is 0 */
} row;

struct sdw_readers {
    pthread_mutex_t mutex; /* guards all of it */
    row rows[SDW_READERS_MAX];
    int count;
};

sdw_readers *sdw_readers_create(void)
{
    sdw_readers *r = sdw_calloc(1, sizeof *r);
    if (r) pthread_mutex_init(&r->mutex, NULL);
    return r;
}

void sdw_readers_free(sdw_readers *r)
{
    if (!r) return;
    pthread_mutex_destroy(&r->mutex);
    sdw_free(r);
}

static row *find(sdw_readers *r, const sdw_job_id *id)
{
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->rows[i].id.text, id->text)) return &r->rows[i];
    return NULL;
}

void sdw_readers_came(sdw_readers *r, const sdw_job_id *id)
{
    if (!r) return;
    pthread_mutex_lock(&r->mutex);
    row *at = find(r, id);
    if (!at && r->count < SDW_READERS_MAX) {
        at = &r->rows[r->count++];
        *at = (row){ .id = *id };
    }
    if (at) at->readers++;
    pthread_mutex_unlock(&r->mutex);
}

void sdw_readers_left(sdw_readers *r, const sdw_job_id *id, bool early)
{
    if (!r) return;
    pthread_mutex_lock(&r->mutex);
    row *at = find(r, id);
    if (at && --at->readers == 0) {
        if (early) at->gone_since = sdw_clock_monotonic_s();
        else *at = r->rows[--r->count];
    }
    pthread_mutex_unlock(&r->mutex);
}

void sdw_readers_tick(sdw_readers *r, sdw_worker *w, double now)
{
    for (bool more = r != NULL; more;) {
        sdw_job_id due;
        more = false;
        pthread_mutex_lock(&r->mutex);
        for (int i = 0; i < r->count && !more; i++) {
            if (r->rows[i].readers > 0 || now - r->rows[i].gone_since < SDW_READERS_GRACE_S) continue;
            due = r->rows[i].id;
            r->rows[i] = r->rows[--r->count];
            more = true;
        }
        pthread_mutex_unlock(&r->mutex);
        if (more) sdw_worker_cancel(w, &due, NULL); /* NOT_FOUND: it has ended */
    }
}
