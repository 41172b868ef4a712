/* sdapi_settings.c - see sdapi_settings.h. */
#include "server/sdapi_settings.h"

#include <pthread.h>
#include <string.h>

#include "core/mem.h"

static const sdw_sdapi_defaults standard = { .format = "png", .clip_stop = 1, .randn_source = "GPU" };

struct sdw_sdapi_settings {
    pthread_mutex_t mutex;
    sdw_sdapi_defaults now; /* guarded */
};

sdw_sdapi_settings *sdw_sdapi_settings_create(void)
{
    sdw_sdapi_settings *s = sdw_calloc(1, sizeof *s);
    if (!s) return NULL;
    pthread_mutex_init(&s->mutex, NULL);
    s->now = standard;
    return s;
}

void sdw_sdapi_settings_free(sdw_sdapi_settings *s)
{
    if (!s) return;
    pthread_mutex_destroy(&s->mutex);
    sdw_free(s);
}

sdw_sdapi_defaults sdw_sdapi_settings_get(sdw_sdapi_settings *s)
{
    if (!s) return standard;
    pthread_mutex_lock(&s->mutex);
    sdw_sdapi_defaults now = s->now;
    pthread_mutex_unlock(&s->mutex);
    return now;
}

/* The static text that equals `given`; NULL if there is none. */
static const char *one_of(const char *given, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(given, *words)) return *words;
    return NULL;
}

bool sdw_sdapi_set_format(sdw_sdapi_settings *s, const char *format)
{
    static const char *const words[] = { "png", "jpg", "jpeg", "webp", NULL };
    const char *word = one_of(format, words);
    if (!word) return false;
    if (!s) return true;
    pthread_mutex_lock(&s->mutex);
    s->now.format = word;
    pthread_mutex_unlock(&s->mutex);
    return true;
}

bool sdw_sdapi_set_clip_stop(sdw_sdapi_settings *s, double layers)
{
    if (!(layers >= 1 && layers <= 12) || layers != (int)layers) return false;
    if (!s) return true;
    pthread_mutex_lock(&s->mutex);
    s->now.clip_stop = (int)layers;
    pthread_mutex_unlock(&s->mutex);
    return true;
}

bool sdw_sdapi_set_randn(sdw_sdapi_settings *s, const char *source)
{
    static const char *const words[] = { "GPU", "NV", "CPU", NULL };
    const char *word = one_of(source, words);
    if (!word) return false;
    if (!s) return true;
    pthread_mutex_lock(&s->mutex);
    s->now.randn_source = word;
    pthread_mutex_unlock(&s->mutex);
    return true;
}
