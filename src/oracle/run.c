/* run.c - a pipeline run through the job that generate uses, listening to it on the way. */
#include "oracle/run.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "engine/job.h"
#include "engine/options.h"

#define LATENT_LIMIT 5e-5
#define LEVEL_SHARE 0.005
#define SIGMA_LIMIT 2e-5
#define TIMESTEP_LIMIT 0.002

typedef struct recording {
    float *states, *picture;  /* every state after a model call; the decoded pictures */
    size_t state_count, state_capacity, picture_count;
    bool lost;                /* no memory for something */
} recording;

static bool grow(float **at, size_t *capacity, size_t need)
{
    if (need <= *capacity) return true;
    size_t bigger = need * 2;
    float *p = sdw_realloc(*at, bigger * sizeof *p);
    if (!p) return false;
    *at = p;
    *capacity = bigger;
    return true;
}

static void after_feed(void *ctx, int picture, const float *state, size_t count)
{
    recording *rec = ctx;
    (void)picture;
    if (!grow(&rec->states, &rec->state_capacity, rec->state_count + count)) {
        rec->lost = true;
        return;
    }
    memcpy(rec->states + rec->state_count, state, count * sizeof *state);
    rec->state_count += count;
}

static void decoded(void *ctx, int picture, const float *values, int width, int height)
{
    recording *rec = ctx;
    size_t n = (size_t)width * (size_t)height * 3, capacity = rec->picture_count;
    (void)picture;
    if (!grow(&rec->picture, &capacity, rec->picture_count + n)) {
        rec->lost = true;
        return;
    }
    memcpy(rec->picture + rec->picture_count, values, n * sizeof *values);
    rec->picture_count += n;
}

/* What a run needs from the file. */
typedef struct inputs {
    sdw_vector noise;
    sdw_picture init, mask;
} inputs;

/* (h, w, c) or (h, w) of bytes. */
static bool load_picture(sdw_replay *r, const char *name, int channels, sdw_picture *ret)
{
    sdw_vector v;
    if (!sdw_replay_load(r, &v, "%s", name)) return false;
    uint8_t *pixels = v.rank >= 2 ? sdw_malloc(v.count) : NULL;
    if (pixels) {
        for (size_t i = 0; i < v.count; i++) pixels[i] = (uint8_t)v.values[i];
        *ret = (sdw_picture){ (int)v.shape[1], (int)v.shape[0], channels, pixels };
    }
    bool fits = pixels && v.count == (size_t)ret->width * (size_t)ret->height * (size_t)channels;
    sdw_vector_finish(&v);
    return fits;
}

static const char *load_inputs(sdw_replay *r, const sdw_replay_run *run, const char *name, inputs *in)
{
    char file[SDW_REPLAY_NAME_MAX];
    if (run->noise && !sdw_replay_load(r, &in->noise, "%s", run->noise)) return "its noise is missing in the file";
    snprintf(file, sizeof file, "%s.image_in", name);
    if (run->strength > 0 && !load_picture(r, file, 3, &in->init)) return "its image_in is missing in the file";
    snprintf(file, sizeof file, "%s.mask_in", name);
    if (run->uses_mask && !load_picture(r, file, 1, &in->mask)) return "its mask_in is missing in the file";
    return NULL;
}

static void finish_inputs(inputs *in)
{
    sdw_vector_finish(&in->noise);
    sdw_free(in->init.pixels);
    sdw_free(in->mask.pixels);
}

static const char *fill_params(const sdw_replay *r, const sdw_replay_run *run, const inputs *in, sdw_params *p)
{
    sdw_params_init(p);
    p->prompt = sdw_replay_prompt(r, run->index, 0);
    p->negative_prompt = run->no_negative ? NULL : sdw_replay_prompt(r, run->index, 1);
    if (!p->prompt) return "its prompt is missing in the metadata";
    if (!sdw_replay_size(r, run->index, &p->width, &p->height)) return "its size is missing in the metadata";
    p->steps = run->steps;
    p->count = run->count ? run->count : 1;
    p->rng_batch = "shared";
    p->guidance = run->guidance;
    p->seed = run->seed;
    p->has_seed = 1;
    p->truncate = 1;
    p->paste_back = 0;
    p->sampler = run->sampler;
    p->schedule = run->schedule;
    p->spacing = run->spacing;
    if (run->has_eta) p->eta = run->eta;
    if (run->strength > 0) {
        p->strength = run->strength;
        p->init_image = &in->init;
    }
    if (run->uses_mask) p->mask = &in->mask;
    return NULL;
}

static sdw_status drive(sdw_replay *r, const sdw_replay_run *run, const inputs *in, const sdw_params *p, recording *rec,
                        sdw_result **ret, sdw_error *err)
{
    sdw_job *job = NULL;
    bool done = false;
    const sdw_job_hooks hooks = { .noise = in->noise.values, .own_spacing = run->own_spacing, .after_feed = after_feed,
                                  .decoded = decoded, .ctx = rec };
    sdw_status s = sdw_job_create(r->engine, p, &hooks, &job, err);
    while (s == SDW_OK && !done) s = sdw_job_advance(job, &done, err);
    if (s == SDW_OK && rec->lost) s = sdw_fail_memory(err, "recording", 0);
    if (s == SDW_OK) s = sdw_job_take(job, ret, err);
    sdw_job_free(job);
    return s;
}

static void compare_table(sdw_replay *r, const double *table, int count, sdw_tolerance t, const char *name)
{
    float values[2 * 1000 + 2];
    if (!table || count > (int)(sizeof values / sizeof values[0])) count = 0;
    for (int i = 0; i < count; i++) values[i] = (float)table[i];
    sdw_replay_compare(r, values, (size_t)count, t, "%s", name);
}

static void compare_timetable(sdw_replay *r, const sdw_replay_run *run, const sdw_params *p, const char *name)
{
    sdw_sampling_options o;
    sdw_sampling *s = NULL;
    sdw_error err = { 0 };
    char file[SDW_REPLAY_NAME_MAX];
    int count = 0;
    if (!sdw_replay_has(r, "%s.timesteps", name) && !sdw_replay_has(r, "%s.sigmas", name)) return;
    sdw_status status = sdw_sampling_options_of(p, run->own_spacing, 1, &o, &err);
    if (status == SDW_OK) status = sdw_sampling_create(sdw_pipeline_scheduler(r->pipeline), &o, &s, &err);
    if (status != SDW_OK) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, err.text);
        return;
    }
    const double *table = sdw_sampling_timesteps(s, &count);
    snprintf(file, sizeof file, "%s.timesteps", name);
    compare_table(r, table, count, (sdw_tolerance){ SDW_MEASURE_ABSOLUTE, TIMESTEP_LIMIT }, file);
    table = sdw_sampling_sigmas(s, &count);
    snprintf(file, sizeof file, "%s.sigmas", name);
    compare_table(r, table, count, (sdw_tolerance){ SDW_MEASURE_RELATIVE, SIGMA_LIMIT }, file);
    sdw_sampling_free(s);
}

static void compare_pixels(sdw_replay *r, const sdw_result *result, const char *name)
{
    size_t each = (size_t)result->images[0].width * (size_t)result->images[0].height * 3;
    float *values = sdw_malloc(each * (size_t)result->count * sizeof *values);
    if (!values) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "no memory to compare");
        return;
    }
    for (int b = 0; b < result->count; b++)
        for (size_t i = 0; i < each; i++) values[(size_t)b * each + i] = result->images[b].pixels[i];
    sdw_replay_compare(r, values, each * (size_t)result->count, (sdw_tolerance){ SDW_MEASURE_LEVELS, LEVEL_SHARE },
                       "%s.image_u8", name);
    sdw_free(values);
}

static void compare_all(sdw_replay *r, const recording *rec, const sdw_result *result, const char *name)
{
    sdw_replay_compare(r, rec->states, rec->state_count, (sdw_tolerance){ SDW_MEASURE_SLICES, LATENT_LIMIT },
                       "%s.latents_after_each_step", name);
    sdw_replay_compare(r, rec->picture, rec->picture_count, (sdw_tolerance){ SDW_MEASURE_PICTURE, LEVEL_SHARE }, "%s.image", name);
    compare_pixels(r, result, name);
}

void sdw_replay_pipeline(sdw_replay *r, const sdw_replay_run *run)
{
    char name[SDW_REPLAY_NAME_MAX / 2];
    inputs in = { 0 };
    recording rec = { 0 };
    sdw_params given, resolved;
    sdw_result *result = NULL;
    sdw_error err = { 0 };
    snprintf(name, sizeof name, "%s.%d", run->base, run->index);
    if (!sdw_replay_wants(r, "%s.", name)) return;
    const char *missing = load_inputs(r, run, name, &in);
    if (!missing) missing = fill_params(r, run, &in, &given);
    if (missing) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, missing);
        finish_inputs(&in);
        return;
    }
    sdw_status s = sdw_params_resolve(r->engine, &given, &resolved, &err);
    if (s == SDW_OK) compare_timetable(r, run, &resolved, name);
    if (s == SDW_OK) s = drive(r, run, &in, &resolved, &rec, &result, &err);
    if (s == SDW_OK) compare_all(r, &rec, result, name);
    else sdw_replay_tell(r, SDW_ORACLE_FAILED, name, err.text);
    sdw_result_free(result);
    sdw_free(rec.states);
    sdw_free(rec.picture);
    finish_inputs(&in);
}
