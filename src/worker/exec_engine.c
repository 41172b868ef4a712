/* exec_engine.c - the executor over libsdw's engine. */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "engine/conditioning.h"
#include "engine/inside.h"
#include "engine/job.h"
#include "engine/resolve.h"
#include "worker/executor.h"

struct sdw_exec_model {
    sdw_engine *engine;
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
    m->warn = NULL;
    if (status != SDW_OK) sdw_free(m);
    else *ret = m;
    return status;
}

static void engine_close(sdw_exec_model *m)
{
    if (!m) return;
    sdw_engine_close(m->engine);
    sdw_free(m);
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
    return sdw_pipeline_held(sdw_engine_pipeline(m->engine));
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

static uint64_t engine_step_memory(sdw_exec_model *m, const sdw_exec_job *j, int rows)
{
    (void)m;
    (void)j;
    (void)rows;
    return 0;
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
    j->model->warn = j ? j->warn : NULL;
    j->model->warn_ctx = j->warn_ctx;
}

static sdw_status job_create(sdw_exec_model *m, const sdw_params *resolved, sdw_warn_fn *warn, void *ctx, sdw_exec_job **ret, sdw_error *err)
{
    sdw_exec_job *j = sdw_calloc(1, sizeof *j);
    if (!j) return sdw_fail_memory(err, "job", sizeof *j);
    *j = (sdw_exec_job){ .model = m, .params = *resolved, .rows = sdw_uses_guidance(resolved) ? 2 : 1, .warn = warn, .warn_ctx = ctx };
    listen(j);
    sdw_status status = sdw_conditioning_measure(m->engine, resolved, &j->tokens, err);
    if (status == SDW_OK) status = sdw_job_create(m->engine, &j->params, NULL, &j->job, err);
    if (status != SDW_OK) job_free(j);
    else *ret = j;
    return status;
}

static void job_state(const sdw_exec_job *j, sdw_exec_state *ret)
{
    sdw_progress p = { 0 };
    sdw_job_progress(j->job, &p);
    *ret = (sdw_exec_state){ .phase = p.phase, .step = j->params.steps - p.steps + p.step, .total = j->params.steps, .steps_run = p.step, .pictures = 1,
                             .rows = j->rows };
    ret->key.height = j->params.height;
    ret->key.width = j->params.width;
    ret->key.tokens = j->tokens;
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
    (void)m;
    (void)err;
    for (int i = 0; i < count; i++) turns[i].status = job_advance(turns[i].job, &turns[i].error);
    return SDW_OK;
}

static int evaluations(const sdw_exec_job *j, int picture)
{
    sdw_progress p = { 0 };
    (void)picture;
    sdw_job_progress(j->job, &p);
    return p.phase == SDW_PHASE_STEP ? p.evals : -1;
}

static void finish_early(sdw_exec_job *j)
{
    (void)j;
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
    static const float factor[4][3] = { { 0.3512f, 0.2297f, 0.3227f }, { 0.3250f, 0.4974f, 0.2350f }, { -0.2829f, 0.1762f, 0.2721f }, { -0.2120f, -0.2616f, -0.7177f } };
    int channels, h, w;
    const float *z = sdw_job_estimate(j->job, &channels, &h, &w);
    if (!z || channels != 4) return sdw_fail(err, SDW_NOT_FOUND, "no estimate yet");
    size_t hw = (size_t)h * (size_t)w;
    sdw_picture p = { .width = w, .height = h, .channels = 3, .pixels = sdw_malloc(3 * hw) };
    if (!p.pixels) return sdw_fail_memory(err, "preview", 3 * hw);
    for (size_t i = 0; i < hw; i++)
        for (int c = 0; c < 3; c++) {
            float v = 0;
            for (int k = 0; k < 4; k++) v += factor[k][c] * z[(size_t)k * hw + i];
            v = 127.5f * v + 127.5f;
            p.pixels[3 * i + (size_t)c] = (uint8_t)(!(v > 0) ? 0 : v > 255 ? 255 : v);
        }
    *ret = p;
    return SDW_OK;
}

const sdw_executor sdw_executor_engine = {
    .name = "engine",
    .open = engine_open,
    .close = engine_close,
    .load = engine_load,
    .unload = engine_unload,
    .held = engine_held,
    .info = engine_info,
    .memory_limit = engine_memory_limit,
    .resolve = engine_resolve,
    .cost = engine_cost,
    .cancel = engine_cancel,
    .step_memory = engine_step_memory,
    .job_create = job_create,
    .job_free = job_free,
    .job_state = job_state,
    .advance = job_advance,
    .step = engine_step,
    .evaluations = evaluations,
    .finish_early = finish_early,
    .take = take,
    .preview = preview,
};
