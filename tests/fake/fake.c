/* fake.c - see fake.h. One mutex guards everything that is global here. */
#include "fake/fake.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/status.h"
#include "diffusion/sampling.h"
#include "engine/options.h"
#include "image/geometry.h"
#include "sdw/fields.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned releases;      /* generation of fake_release */
static int held_now;         /* in this generation */
static int deaf_now;         /* evaluations that hear nothing */
static int fail_nth;
static fake_counts counts;

struct sdw_exec_model {
    char path[512];
    uint64_t limit;
    bool cancel;               /* guarded by mutex */
    bool loaded;
    sdw_model_info info;
    sdw_part_info part;
};

struct sdw_exec_job {
    sdw_exec_model *model;
    sdw_params params;
    sdw_warn_fn *warn;
    void *warn_ctx;
    sdw_phase phase;
    int first, done[SDW_JOB_PICTURES_MAX], slices_left, preview_left;
    bool early;
};

/* ---- words ---- */

/* The number behind `word=`, or -1. */
static long number(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if (at[n] == '=') return strtol(at + n + 1, NULL, 10);
    return -1;
}

/* ---- time ---- */

static void wait_changed(double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    double at = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec + seconds;
    t.tv_sec = (time_t)at;
    t.tv_nsec = (long)((at - (double)t.tv_sec) * 1e9);
    pthread_cond_timedwait(&changed, &mutex, &t);
}

/* As long as ms milliseconds, or until cancelled. */
static sdw_status spend(sdw_exec_model *m, long ms, sdw_error *err)
{
    double end = sdw_clock_monotonic_s() + 1e-3 * (double)(ms > 0 ? ms : 0);
    pthread_mutex_lock(&mutex);
    while (!m->cancel && sdw_clock_monotonic_s() < end) wait_changed(end - sdw_clock_monotonic_s());
    bool cancel = m->cancel;
    pthread_mutex_unlock(&mutex);
    return cancel ? sdw_fail(err, SDW_CANCELLED, "cancelled") : SDW_OK;
}

static sdw_status hold(sdw_exec_model *m, bool for_ever, sdw_error *err)
{
    pthread_mutex_lock(&mutex);
    unsigned seen = releases;
    held_now++;
    pthread_cond_broadcast(&changed);
    while (!m->cancel && (for_ever || releases == seen)) wait_changed(1.0);
    if (releases == seen) held_now--;
    bool cancel = m->cancel;
    pthread_mutex_unlock(&mutex);
    return cancel ? sdw_fail(err, SDW_CANCELLED, "cancelled") : SDW_OK;
}

void fake_release(void)
{
    pthread_mutex_lock(&mutex);
    releases++;
    held_now = 0; /* those of before count no more, though they may need a moment to leave */
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Until *count is above zero; false after 60 s. */
static bool wait_above_zero(const int *count)
{
    double end = sdw_clock_monotonic_s() + 60;
    pthread_mutex_lock(&mutex);
    while (*count <= 0 && sdw_clock_monotonic_s() < end) wait_changed(0.5);
    bool above = *count > 0;
    pthread_mutex_unlock(&mutex);
    return above;
}

bool fake_wait_held(void)
{
    return wait_above_zero(&held_now);
}

bool fake_wait_deaf(void)
{
    return wait_above_zero(&deaf_now);
}

static void be_deaf(long ms)
{
    pthread_mutex_lock(&mutex);
    deaf_now++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
    pthread_mutex_lock(&mutex);
    deaf_now--;
    pthread_mutex_unlock(&mutex);
}

void fake_fail_evaluation(int nth)
{
    pthread_mutex_lock(&mutex);
    fail_nth = nth;
    pthread_mutex_unlock(&mutex);
}

void fake_reset_counts(void)
{
    pthread_mutex_lock(&mutex);
    counts.evaluations = counts.widest = counts.loads = counts.unloads = 0;
    pthread_mutex_unlock(&mutex);
}

fake_counts fake_counted(void)
{
    pthread_mutex_lock(&mutex);
    fake_counts c = counts;
    pthread_mutex_unlock(&mutex);
    return c;
}

static void count(int *what, int by)
{
    pthread_mutex_lock(&mutex);
    *what += by;
    pthread_mutex_unlock(&mutex);
}

/* ---- models ---- */

static sdw_status fake_open(const sdw_engine_options *o, sdw_exec_model **ret, sdw_error *err)
{
    if (strstr(o->model, "fail-open")) return sdw_fail(err, SDW_FORMAT, "%s: cannot be opened, as asked", o->model);
    sdw_exec_model *m = sdw_calloc(1, sizeof *m);
    if (!m) return sdw_fail_memory(err, "model", sizeof *m);
    strncpy(m->path, o->model, sizeof m->path - 1);
    m->limit = o->memory_limit ? o->memory_limit : (uint64_t)4 << 30;
    m->part = (sdw_part_info){ .name = "unet", .parameters = 1000, .file_bytes = 2000, .packed_bytes = (uint64_t)1 << 20, .dtypes = "F16" };
    m->info = (sdw_model_info){ .path = m->path, .family = "sd15", .family_summary = "no weights at all", .class_name = "FakePipeline", .precision = o->precision ? o->precision : "f32",
                                .prediction = "epsilon", .scheduler = "euler", .backend = "fake", .parts = &m->part, .part_count = 1,
                                .default_width = 512, .default_height = 512, .default_steps = 20, .default_guidance = 7.5 };
    count(&counts.models, 1);
    *ret = m;
    return SDW_OK;
}

static void fake_close(sdw_exec_model *m)
{
    if (!m) return;
    count(&counts.models, -1);
    sdw_free(m);
}

static sdw_status fake_load(sdw_exec_model *m, sdw_exec_loading *loading, void *ctx, sdw_error *err)
{
    enum { LAYERS = 32 };
    long ms = number(m->path, "load-ms");
    sdw_status status = SDW_OK;
    for (int i = 0; i < LAYERS && status == SDW_OK; i++) {
        if (!loading(ctx, i, LAYERS)) return sdw_fail(err, SDW_CANCELLED, "cancelled");
        if (i == LAYERS / 2 && strstr(m->path, "hold-load")) status = hold(m, false, err);
        if (status == SDW_OK && ms > 0) status = spend(m, ms / LAYERS, err);
    }
    if (status == SDW_OK && strstr(m->path, "fail-load")) status = sdw_fail(err, SDW_FORMAT, "%s: cannot be loaded, as asked", m->path);
    if (status != SDW_OK) return status;
    loading(ctx, LAYERS, LAYERS);
    m->loaded = true;
    count(&counts.loads, 1);
    return SDW_OK;
}

static void fake_unload(sdw_exec_model *m)
{
    if (m->loaded) count(&counts.unloads, 1);
    m->loaded = false;
}

static uint64_t fake_held(sdw_exec_model *m)
{
    return m->loaded ? m->part.packed_bytes : 0;
}

static const sdw_model_info *fake_info(const sdw_exec_model *m)
{
    return &m->info;
}

static uint64_t fake_memory_limit(const sdw_exec_model *m)
{
    return m->limit;
}

static void fake_cancel(sdw_exec_model *m, bool on)
{
    pthread_mutex_lock(&mutex);
    m->cancel = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static bool fake_fits(sdw_exec_model *m, const sdw_exec_job *j, int rows)
{
    long most = number(j->params.prompt, "rows-max");
    (void)m;
    return most < 0 || rows <= most;
}

/* ---- requests ---- */

/* Names as the sampling code knows them. */
static sdw_status name_sampler(sdw_params *r, sdw_error *err)
{
    sdw_scheduler_config config;
    sdw_sampling_options o;
    sdw_sampling *s;
    sdw_status status = sdw_scheduler_config_read(NULL, "fake", &config, err);
    if (status != SDW_OK) return status;
    status = sdw_sampling_options_of(r, false, 1, &o, err);
    if (status == SDW_OK) status = sdw_sampling_create(&config, &o, &s, err);
    sdw_scheduler_config_finish(&config);
    if (status != SDW_OK) return status;
    r->sampler = sdw_sampling_sampler(s);
    r->schedule = sdw_sampling_schedule(s);
    sdw_sampling_free(s);
    return SDW_OK;
}

static sdw_status fake_resolve(const sdw_exec_model *m, const sdw_params *p, sdw_params *ret, sdw_warnings *warnings, sdw_error *err)
{
    sdw_params r = *p;
    if (!p->prompt) return sdw_fail_field(err, SDW_INVALID, "prompt", "prompt is missing");
    sdw_status status = sdw_params_check_fields(p, err);
    if (status != SDW_OK) return status;
    if (p->init_image) sdw_fit_size(p->init_image->width, p->init_image->height, p->width, p->height, &r.width, &r.height);
    if (!r.width) r.width = m->info.default_width;
    if (!r.height) r.height = m->info.default_height;
    if (r.width < 64 || r.height < 64) return sdw_fail_field(err, SDW_INVALID, r.width < 64 ? "width" : "height", "%d x %d, want 64 or more", r.width, r.height);
    if (!r.steps) r.steps = m->info.default_steps;
    if (!r.count) r.count = 1;
    if (isnan(r.guidance)) r.guidance = m->info.default_guidance;
    if (r.init_image && isnan(r.strength)) r.strength = 0.8;
    if (!r.init_image) r.strength = NAN;
    if (r.guidance <= 1.0 && p->negative_prompt && p->negative_prompt[0]) sdw_warn(warnings, "negative_prompt has no effect: guidance is %g", r.guidance);
    if (!r.rng) r.rng = "torch-cpu";
    if (!r.rng_batch) r.rng_batch = "per-picture";
    if (!r.prompt_syntax) r.prompt_syntax = "plain";
    status = name_sampler(&r, err);
    if (status == SDW_OK) *ret = r;
    return status;
}

static sdw_status fake_cost(sdw_exec_model *m, const sdw_params *r, sdw_exec_cost *ret, sdw_error *err)
{
    long bytes = number(r->prompt, "bytes");
    (void)err;
    *ret = (sdw_exec_cost){ .total = m->part.packed_bytes + (bytes >= 0 ? (uint64_t)bytes : 16 * (uint64_t)r->width * (uint64_t)r->height),
                            .weights = m->part.packed_bytes, .tokens = 77 * (1 + (int)(strlen(r->prompt) / 400)), .rows = r->guidance > 1.0 ? 2 : 1 };
    return SDW_OK;
}

/* ---- jobs ---- */

static sdw_status fake_job_create(sdw_exec_model *m, const sdw_params *r, sdw_warn_fn *warn, void *ctx, sdw_exec_job **ret, sdw_error *err)
{
    sdw_exec_job *j = sdw_calloc(1, sizeof *j);
    if (!j) return sdw_fail_memory(err, "job", sizeof *j);
    long slices = number(r->prompt, "slices");
    *j = (sdw_exec_job){ .model = m, .params = *r, .warn = warn, .warn_ctx = ctx, .phase = SDW_PHASE_TEXT, .slices_left = slices > 0 ? (int)slices : 1 };
    if (r->init_image) j->first = r->steps - (int)floor(r->steps * r->strength);
    count(&counts.jobs, 1);
    *ret = j;
    return SDW_OK;
}

static void fake_job_free(sdw_exec_job *j)
{
    if (!j) return;
    count(&counts.jobs, -1);
    sdw_free(j);
}

static int steps_done(const sdw_exec_job *j)
{
    int least = j->done[0];
    for (int i = 1; i < j->params.count; i++) least = j->done[i] < least ? j->done[i] : least;
    return least;
}

static void fake_job_state(const sdw_exec_job *j, sdw_exec_state *ret)
{
    *ret = (sdw_exec_state){ .phase = j->phase, .step = j->first + steps_done(j), .total = j->params.steps, .steps_run = steps_done(j),
                             .pictures = j->params.count, .rows = j->params.guidance > 1.0 ? 2 : 1 };
    ret->key.height = j->params.height / 8;
    ret->key.width = j->params.width / 8;
    ret->key.tokens = 77;
}

static sdw_status fake_advance(sdw_exec_job *j, sdw_error *err)
{
    sdw_status status = SDW_OK;
    if (j->phase == SDW_PHASE_TEXT) {
        if (strstr(j->params.prompt, "warn")) j->warn(j->warn_ctx, "this is a warning, as asked");
        status = spend(j->model, number(j->params.prompt, "text-ms"), err);
        if (status == SDW_OK) j->phase = j->first < j->params.steps ? SDW_PHASE_STEP : SDW_PHASE_DECODE;
    } else if (j->phase == SDW_PHASE_DECODE) {
        status = spend(j->model, number(j->params.prompt, "decode-ms"), err);
        if (status == SDW_OK && --j->slices_left == 0) j->phase = SDW_PHASE_DONE;
    }
    return status;
}

static sdw_status trouble(const sdw_exec_job *j, int evaluation, sdw_error *err)
{
    const char *p = j->params.prompt;
    pthread_mutex_lock(&mutex);
    bool fail = fail_nth > 0 && --fail_nth == 0;
    pthread_mutex_unlock(&mutex);
    if (number(p, "nan-at") == evaluation) return sdw_fail(err, SDW_NUMERIC, "step %d: values that are not finite, as asked", evaluation);
    if (number(p, "oom-at") == evaluation) return sdw_fail(err, SDW_NO_MEMORY, "step %d: out of memory, as asked", evaluation);
    if (number(p, "fail-at") == evaluation || fail) return sdw_fail(err, SDW_INTERNAL, "step %d failed, as asked", evaluation);
    return SDW_OK;
}

static sdw_status fake_step(sdw_exec_model *m, sdw_exec_turn *turns, int n, sdw_error *err)
{
    long ms = 0, deaf = 0;
    sdw_status status = SDW_OK;
    pthread_mutex_lock(&mutex);
    counts.evaluations++;
    if (n > counts.widest) counts.widest = n;
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < n && status == SDW_OK; i++) {
        const sdw_exec_job *j = turns[i].job;
        int evaluation = j->done[turns[i].picture] + 1;
        long own = number(j->params.prompt, "step-ms");
        if (own > ms) ms = own;
        if (number(j->params.prompt, "deaf-at") == evaluation) deaf = number(j->params.prompt, "deaf-ms");
        if (number(j->params.prompt, "hold-at") == evaluation) status = hold(m, false, err);
        if (number(j->params.prompt, "stall-at") == evaluation) status = hold(m, true, err);
    }
    if (deaf > 0) be_deaf(deaf);
    if (status == SDW_OK) status = spend(m, ms, err);
    for (int i = 0; i < n && status == SDW_OK; i++) {
        sdw_exec_job *j = turns[i].job;
        turns[i].status = trouble(j, j->done[turns[i].picture] + 1, &turns[i].error);
        if (turns[i].status != SDW_OK) continue;
        j->done[turns[i].picture]++;
        if (steps_done(j) == j->params.steps - j->first) j->phase = SDW_PHASE_DECODE;
    }
    return status;
}

static int fake_evaluations(const sdw_exec_job *j, int picture)
{
    return j->done[picture] < j->params.steps - j->first ? j->done[picture] : -1;
}

static void fake_finish_early(sdw_exec_job *j)
{
    if (j->phase == SDW_PHASE_TEXT || j->phase == SDW_PHASE_STEP) j->phase = SDW_PHASE_DECODE;
    j->early = true;
}

uint8_t fake_byte(uint64_t seed, size_t i)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + i / 48; /* runs of 16 pixels: files stay small */
    x ^= x >> 31;
    x *= 0xbf58476d1ce4e5b9u;
    return (uint8_t)(x >> 40);
}

static sdw_status fill_picture(int width, int height, uint64_t seed, sdw_picture *ret, sdw_error *err)
{
    size_t n = 3 * (size_t)width * (size_t)height;
    sdw_picture p = { width, height, 3, sdw_malloc(n) };
    if (!p.pixels) return sdw_fail_memory(err, "picture", n);
    for (size_t i = 0; i < n; i++) p.pixels[i] = fake_byte(seed, i);
    *ret = p;
    return SDW_OK;
}

static sdw_status fake_take(sdw_exec_job *j, int index, sdw_picture *ret, uint64_t *ret_seed, sdw_error *err)
{
    bool shared = strcmp(j->params.rng_batch, "shared") == 0;
    *ret_seed = j->params.seed + (shared ? 0 : (uint64_t)index);
    return fill_picture(j->params.width, j->params.height, j->params.seed + (uint64_t)index, ret, err);
}

static sdw_status fake_preview(sdw_exec_job *j, sdw_picture *ret, sdw_error *err)
{
    return fill_picture(j->params.width / 8, j->params.height / 8, j->params.seed, ret, err);
}

static sdw_status fake_preview_begin(sdw_exec_job *j, sdw_error *err)
{
    (void)err;
    j->preview_left = 3;
    return SDW_OK;
}

static sdw_status fake_preview_slice(sdw_exec_job *j, bool *ret_done, sdw_picture *ret, sdw_error *err)
{
    *ret_done = --j->preview_left == 0;
    return *ret_done ? fill_picture(j->params.width, j->params.height, j->params.seed, ret, err) : SDW_OK;
}

static void fake_preview_end(sdw_exec_job *j)
{
    j->preview_left = 0;
}

const sdw_executor fake_executor = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .load = fake_load,
    .unload = fake_unload,
    .held = fake_held,
    .info = fake_info,
    .memory_limit = fake_memory_limit,
    .resolve = fake_resolve,
    .cost = fake_cost,
    .cancel = fake_cancel,
    .fits = fake_fits,
    .job_create = fake_job_create,
    .job_free = fake_job_free,
    .job_state = fake_job_state,
    .advance = fake_advance,
    .step = fake_step,
    .evaluations = fake_evaluations,
    .finish_early = fake_finish_early,
    .take = fake_take,
    .preview = fake_preview,
    .preview_begin = fake_preview_begin,
    .preview_slice = fake_preview_slice,
    .preview_end = fake_preview_end,
};
