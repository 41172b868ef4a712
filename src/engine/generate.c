/* generate.c - the plain driver: one job, advanced on the calling thread until it is done. */
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "engine/engine_impl.h"
#include "engine/job.h"
#include "engine/resolve.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Texts of the resolved request that the result keeps; a member is added here and freed below from one list. */
#define RESULT_TEXTS(X) X(prompt) X(negative_prompt) X(sampler) X(schedule) X(spacing) X(final_sigma) X(prompt_syntax) X(rng) X(rng_batch) X(resize)

static sdw_status own_params(sdw_result *r, const sdw_params *p, sdw_error *err)
{
    bool ok = true;
    r->params = *p;
    r->params.init_image = r->params.mask = NULL;
#define KEEP(member)                             \
    r->params.member = sdw_strdup(p->member);    \
    ok = ok && (!p->member || r->params.member);
    RESULT_TEXTS(KEEP)
#undef KEEP
    return ok ? SDW_OK : sdw_fail_memory(err, "result", 0);
}

void sdw_result_free(sdw_result *r)
{
    if (!r) return;
    for (int i = 0; r->images && i < r->count; i++) sdw_free(r->images[i].pixels);
#define DROP(member) sdw_free((void *)r->params.member);
    RESULT_TEXTS(DROP)
#undef DROP
    sdw_free(r->images);
    sdw_free(r->seeds);
    sdw_free(r);
}

static sdw_status drive(sdw_job *j, sdw_progress_fn *progress, void *ctx, sdw_result *times, sdw_error *err)
{
    double start = now(), before = start;
    bool done = false;
    while (!done) {
        sdw_progress p = { 0 };
        sdw_job_progress(j, &p);
        sdw_phase phase = p.phase;
        p.seconds = before - start;
        if (progress && !progress(ctx, &p)) return sdw_fail(err, SDW_CANCELLED, "cancelled");
        sdw_status status = sdw_job_advance(j, &done, err);
        if (status != SDW_OK) return status;
        double after = now(), spent = after - before;
        if (phase == SDW_PHASE_TEXT) times->seconds_text += spent;
        else if (phase == SDW_PHASE_STEP) times->seconds_steps += spent;
        else times->seconds_vae += spent;
        before = after;
    }
    sdw_progress last = { 0 };
    sdw_job_progress(j, &last);
    last.seconds = before - start;
    if (progress) progress(ctx, &last);
    return SDW_OK;
}

sdw_status sdw_generate(sdw_engine *e, const sdw_params *p, sdw_progress_fn *progress, void *ctx, sdw_result **ret_result, sdw_error *err)
{
    sdw_params resolved;
    sdw_job *job = NULL;
    sdw_result *result = NULL, times = { 0 };
    atomic_store(sdw_pipeline_cancel_flag(e->pipeline), false);
    sdw_status status = sdw_params_resolve(e, p, &resolved, err);
    if (status == SDW_OK) status = sdw_job_create(e, &resolved, NULL, &job, err);
    if (status == SDW_OK) status = drive(job, progress, ctx, &times, err);
    if (status == SDW_OK) status = sdw_job_take(job, &result, err);
    if (status == SDW_OK) status = own_params(result, &resolved, err);
    sdw_job_free(job);
    if (status != SDW_OK) {
        sdw_result_free(result);
        return status;
    }
    result->seconds_text = times.seconds_text;
    result->seconds_steps = times.seconds_steps;
    result->seconds_vae = times.seconds_vae;
    *ret_result = result;
    return SDW_OK;
}

sdw_status sdw_estimate(sdw_engine *e, const sdw_params *p, sdw_cost *ret_cost, sdw_error *err)
{
    sdw_params resolved;
    sdw_status status = sdw_params_resolve_with(e, p, &resolved, NULL, err);
    return status == SDW_OK ? sdw_job_cost(e, &resolved, ret_cost, err) : status;
}
