/* stats.c - see stats.h. */
#include "worker/stats.h"

#include <stdio.h>
#include <string.h>

const double sdw_stats_limits[SDW_STATS_LIMITS] = { .05, .1, .25, .5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600 };

void sdw_stats_init(sdw_stats *s)
{
    *s = (sdw_stats){ .sum = { .load_s = 0 } };
    pthread_mutex_init(&s->mutex, NULL);
}

void sdw_stats_finish(sdw_stats *s)
{
    pthread_mutex_destroy(&s->mutex);
}

static void add(sdw_histogram *h, double seconds)
{
    int i = 0;
    while (i < SDW_STATS_LIMITS && seconds > sdw_stats_limits[i]) i++;
    h->bucket[i]++;
    h->sum += seconds;
}

static sdw_model_stats *row_of(sdw_worker_stats *sum, const char *model)
{
    for (int i = 0; i < SDW_STATS_MODELS - 1; i++) {
        sdw_model_stats *row = &sum->model[i];
        if (!row->model[0]) snprintf(row->model, sizeof row->model, "%s", model);
        if (strcmp(row->model, model) == 0) return row;
    }
    snprintf(sum->model[SDW_STATS_MODELS - 1].model, sizeof sum->model[0].model, "other");
    return &sum->model[SDW_STATS_MODELS - 1];
}

void sdw_stats_job(sdw_stats *s, const sdw_stats_end *e)
{
    pthread_mutex_lock(&s->mutex);
    sdw_model_stats *row = row_of(&s->sum, e->model);
    s->sum.jobs[e->kind][e->outcome == SDW_JOB_COMPLETED ? 0 : e->outcome == SDW_JOB_FAILED ? 1 : 2]++;
    if (e->outcome == SDW_JOB_COMPLETED) row->images[e->kind] += (uint64_t)e->pictures;
    add(&s->sum.queue, e->queue_s > 0 ? e->queue_s : 0);
    if (e->run_s >= 0) add(&row->run[e->kind], e->run_s);
    pthread_mutex_unlock(&s->mutex);
}

void sdw_stats_stage(sdw_stats *s, sdw_stage stage, double seconds)
{
    pthread_mutex_lock(&s->mutex);
    add(&s->sum.stage[stage], seconds);
    if (stage == SDW_STAGE_LOAD) s->sum.load_s = seconds;
    pthread_mutex_unlock(&s->mutex);
}

sdw_stage sdw_stage_of(sdw_phase phase)
{
    switch (phase) {
    case SDW_PHASE_STEP: return SDW_STAGE_DENOISE;
    case SDW_PHASE_ENCODE: return SDW_STAGE_VAE_ENCODE;
    case SDW_PHASE_DECODE: return SDW_STAGE_VAE_DECODE;
    default: return SDW_STAGE_TEXT_ENCODE;
    }
}

void sdw_stats_preview(sdw_stats *s)
{
    pthread_mutex_lock(&s->mutex);
    s->sum.previews++;
    pthread_mutex_unlock(&s->mutex);
}

void sdw_stats_hits(sdw_stats *s, sdw_cache cache, uint64_t count)
{
    pthread_mutex_lock(&s->mutex);
    s->sum.cache_hits[cache] += count;
    pthread_mutex_unlock(&s->mutex);
}

const char *sdw_cache_name(sdw_cache cache)
{
    static const char *const names[SDW_CACHE_COUNT] = { "text_embed", "model" };
    return names[cache];
}

const char *sdw_stage_name(sdw_stage stage)
{
    static const char *const names[SDW_STAGE_COUNT] = { "load", "text_encode", "vae_encode", "denoise", "vae_decode", "encode" };
    return names[stage];
}
