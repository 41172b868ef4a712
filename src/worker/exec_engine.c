/* exec_engine.c - the executor over libsdw's engine. */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "engine/batch.h"
#include "engine/conditioning.h"
#include "engine/inside.h"
#include "engine/job.h"
#include "engine/projection.h"
#include "engine/resolve.h"
#include "worker/executor.h"

/* Encoded prompts kept of one model: some 65 pairs for SD 1.5, 25 for XL. */
#define PROMPT_BYTES ((size_t)32 << 20)

struct sdw_exec_model {
    sdw_engine *engine;
    sdw_projection projection;   /* fitted at the first preview; channels 0: not yet */
    sdw_warn_fn *warn;           /* of the job whose unit runs now */
    void *warn_ctx;
};

struct sdw_exec_job {
    sdw_exec_model *model;
    sdw_params params;           /* resolved; borrows */
    sdw_job *job;
    sdw_result *result;
    int tokens, rows;
    sdw_warn_fn *warn;
    void *warn_ctx;
};

static void pass_warning(void *ctx, const char *sentence)
{
    sdw_exec_model *m = ctx;
    if (m->warn) m->warn(m->warn_ctx, sentence);
}

static void engine_close(sdw_exec_model *m)
{
    if (!m) return;
    sdw_engine_close(m->engine);
    sdw_free(m);
}

static sdw_status engine_open(const sdw_engine_options *o, sdw_exec_model **ret, sdw_error *err)
{
    sdw_exec_model *m = sdw_calloc(1, sizeof *m);
    if (!m) return sdw_fail_memory(err, "model", sizeof *m);
    m->warn = o->warn;
    m->warn_ctx = o->warn_ctx;
    sdw_engine_options own = *o;
    own.warn = pass_warning;
    own.warn_ctx = m;
    sdw_status status = sdw_engine_open(&own, &m->engine, err);
    if (status == SDW_OK) status = sdw_engine_cache_prompts(m->engine, PROMPT_BYTES, err);
    m->warn = NULL;
    if (status != SDW_OK) engine_close(m);
    else *ret = m;
    return status;
}

typedef struct loading {
    sdw_exec_model *model;
    sdw_exec_loading *tell;
    void *ctx;
} loading;

static void on_packed(void *ctx, int done, int total)
{
    loading *l = ctx;
    if (!l->tell(l->ctx, done, total)) sdw_engine_cancel(l->model->engine);
}

static sdw_status engine_load(sdw_exec_model *m, sdw_exec_loading *tell, void *ctx, sdw_error *err)
{
    loading l = { m, tell, ctx };
    return sdw_pipeline_load(sdw_engine_pipeline(m->engine), on_packed, &l, err);
}

static void engine_unload(sdw_exec_model *m)
{
    sdw_pipeline *p = sdw_engine_pipeline(m->engine);
    for (int id = 0; id < SDW_PART_COUNT; id++) sdw_pipeline_unload(p, (sdw_part_id)id);
    sdw_pipeline_drop_pool(p);
}

static uint64_t engine_held(sdw_exec_model *m)
{
    return sdw_pipeline_held(sdw_engine_pipeline(m->engine)) + sdw_engine_prompt_bytes(m->engine);
}

static uint64_t engine_prompt_hits(const sdw_exec_model *m)
{
    return sdw_engine_prompt_hits(m->engine);
}

static const sdw_model_info *engine_info(const sdw_exec_model *m)
{
    return sdw_engine_info(m->engine);
}

static uint64_t engine_memory_limit(const sdw_exec_model *m)
{
    return sdw_engine_memory_limit(m->engine);
}

static sdw_status engine_resolve(const sdw_exec_model *m, const sdw_params *p, sdw_params *ret, sdw_warnings *warnings, sdw_error *err)
{
    return sdw_params_resolve_with(m->engine, p, ret, warnings, err);
}

static sdw_status engine_cost(sdw_exec_model *m, const sdw_params *resolved, sdw_exec_cost *ret, sdw_error *err)
{
    sdw_cost cost;
    int tokens;
    sdw_status status = sdw_job_cost(m->engine, resolved, &cost, err);
    if (status == SDW_OK) status = sdw_conditioning_measure(m->engine, resolved, &tokens, err);
    if (status == SDW_OK)
        *ret = (sdw_exec_cost){ .total = cost.total, .weights = cost.weights, .tokens = tokens, .rows = sdw_uses_guidance(resolved) ? 2 : 1 };
    return status;
}

static void engine_cancel(sdw_exec_model *m, bool on)
{
    atomic_store(sdw_pipeline_cancel_flag(sdw_engine_pipeline(m->engine)), on);
}

/* The pool is held already; a run that wants a larger one gets another in its place. */
static bool engine_fits(sdw_exec_model *m, const sdw_exec_job *j, int rows)
{
    enum { HOST_BYTES = 32 << 20 }; /* the program itself, as sdw_job_cost counts it */
    sdw_pipeline *p = sdw_engine_pipeline(m->engine);
    sdw_job_key key;
    uint64_t want, held = engine_held(m), limit = sdw_engine_memory_limit(m->engine);
    sdw_job_key_of(j->job, &key);
    sdw_status status = rows ? sdw_batch_bytes(m->engine, &key, rows, &want, NULL) : sdw_pipeline_unit_bytes(p, key.rows, key.tokens, key.h, key.w, &want, NULL);
    uint64_t pool = sdw_pipeline_pool_bytes(p);
    return status == SDW_OK && held - pool + (want > pool ? want : pool) + HOST_BYTES <= limit;
}

/* ---- jobs ---- */

static void job_free(sdw_exec_job *j)
{
    if (!j) return;
    sdw_job_free(j->job);
    sdw_result_free(j->result);
    sdw_free(j);
}

static void listen(const sdw_exec_job *j)
{
    j->model->warn = j->warn;
    j->model->warn_ctx = j->warn_ctx;
}

static sdw_status job_create(sdw_exec_model *m, const sdw_params *resolved, sdw_warn_fn *warn, void *ctx, sdw_exec_job **ret, sdw_error *err)
{
    sdw_exec_job *j = sdw_calloc(1, sizeof *j);
    if (!j) return sdw_fail_memory(err, "job", sizeof *j);
    *j = (sdw_exec_job){ .model = m, .params = *resolved, .rows = sdw_uses_guidance(resolved) ? 2 : 1, .warn = warn, .warn_ctx = ctx };
    listen(j);
    sdw_status status = sdw_conditioning_measure(m->engine, resolved, &j->tokens, err);
    const sdw_job_hooks hooks = { .together = true, .slices = 1 };
    if (status == SDW_OK) status = sdw_job_create(m->engine, &j->params, &hooks, &j->job, err);
    if (status != SDW_OK) job_free(j);
    else *ret = j;
    return status;
}

static void job_state(const sdw_exec_job *j, sdw_exec_state *ret)
{
    sdw_progress p = { 0 };
    sdw_job_key key;
    int done = sdw_job_steps_done(j->job);
    sdw_job_progress(j->job, &p);
    sdw_job_key_of(j->job, &key);
    *ret = (sdw_exec_state){ .phase = p.phase, .step = j->params.steps - p.steps + done, .total = j->params.steps, .steps_run = done,
                             .pictures = sdw_job_lanes(j->job), .rows = j->rows };
    ret->key.height = key.h;
    ret->key.width = key.w;
    ret->key.tokens = key.tokens;
}

static sdw_status job_advance(sdw_exec_job *j, sdw_error *err)
{
    bool done;
    listen(j);
    sdw_status status = sdw_job_advance(j->job, &done, err);
    if (status == SDW_OK && done && !j->result) status = sdw_job_take(j->job, &j->result, err);
    return status;
}

static sdw_status engine_step(sdw_exec_model *m, sdw_exec_turn *turns, int count, sdw_error *err)
{
    sdw_batch_turn batch[SDW_BATCH_TURNS_MAX];
    if (count > SDW_BATCH_TURNS_MAX) return sdw_fail(err, SDW_INTERNAL, "%d pictures in one evaluation, want at most %d", count, SDW_BATCH_TURNS_MAX);
    for (int i = 0; i < count; i++) batch[i] = (sdw_batch_turn){ .job = turns[i].job->job, .lane = turns[i].picture };
    sdw_status status = sdw_batch_step(m->engine, batch, count, err);
    for (int i = 0; i < count && status == SDW_OK; i++) {
        turns[i].status = batch[i].status;
        turns[i].error = batch[i].error;
    }
    return status;
}

static int evaluations(const sdw_exec_job *j, int picture)
{
    return sdw_job_lane_evaluations(j->job, picture);
}

static void finish_early(sdw_exec_job *j)
{
    sdw_job_finish_early(j->job);
}

static sdw_status take(sdw_exec_job *j, int index, sdw_picture *ret, uint64_t *ret_seed, sdw_error *err)
{
    if (!j->result || index < 0 || index >= j->result->count) return sdw_fail(err, SDW_INTERNAL, "job: picture %d is taken before it is there", index + 1);
    *ret = j->result->images[index];
    *ret_seed = j->result->seeds[index];
    j->result->images[index].pixels = NULL;
    return SDW_OK;
}

/* ---- previews ---- */

static sdw_status preview(sdw_exec_job *j, sdw_picture *ret, sdw_error *err)
{
    sdw_exec_model *m = j->model;
    int channels, h, w;
    sdw_status status = SDW_OK;
    const float *z = sdw_job_estimate(j->job, &channels, &h, &w);
    if (!z) return sdw_fail(err, SDW_NOT_FOUND, "no estimate yet");
    if (!m->projection.channels) status = sdw_projection_fit(sdw_engine_pipeline(m->engine), &m->projection, err);
    if (status != SDW_OK) return status;
    size_t cells = (size_t)h * (size_t)w;
    sdw_picture p = { .width = w, .height = h, .channels = 3, .pixels = sdw_malloc(3 * cells) };
    if (!p.pixels) return sdw_fail_memory(err, "preview", 3 * cells);
    sdw_projection_apply(&m->projection, z, cells, p.pixels);
    *ret = p;
    return SDW_OK;
}

static sdw_status preview_begin(sdw_exec_job *j, sdw_error *err)
{
    return sdw_job_look_begin(j->job, err);
}

static sdw_status preview_slice(sdw_exec_job *j, bool *ret_done, sdw_picture *ret, sdw_error *err)
{
    return sdw_job_look_go(j->job, 1, ret_done, ret, err);
}

static void preview_end(sdw_exec_job *j)
{
    sdw_job_look_end(j->job);
}

const sdw_executor sdw_executor_engine = {
    .name = "engine",
    .open = engine_open,
    .close = engine_close,
    .load = engine_load,
    .unload = engine_unload,
    .held = engine_held,
    .prompt_hits = engine_prompt_hits,
    .info = engine_info,
    .memory_limit = engine_memory_limit,
    .resolve = engine_resolve,
    .cost = engine_cost,
    .cancel = engine_cancel,
    .fits = engine_fits,
    .job_create = job_create,
    .job_free = job_free,
    .job_state = job_state,
    .advance = job_advance,
    .step = engine_step,
    .evaluations = evaluations,
    .finish_early = finish_early,
    .take = take,
    .preview = preview,
    .preview_begin = preview_begin,
    .preview_slice = preview_slice,
    .preview_end = preview_end,
};
