/* job.c - the state machine of one request.
 *
 * Pictures of a request run in groups: alone, each with its own generator (seed, seed + 1, ...); or all together, because
 * they share one generator, which then makes each draw for the whole batch at once, as the reference does, or because
 * the driver wants it so. A group's pictures take turns at every model evaluation, or share it (batch.c). */
#include "engine/job.h"

#include <limits.h>
#include <string.h>

#include "core/mem.h"
#include "engine/batch.h"
#include "engine/conditioning.h"
#include "engine/job_impl.h"

/* ---- create ---- */

static sdw_status array(float **ret, size_t count, sdw_error *err)
{
    *ret = sdw_malloc(count * sizeof **ret);
    return *ret ? SDW_OK : sdw_fail_memory(err, "job", count * sizeof **ret);
}

static sdw_status create_result(sdw_job *j, sdw_error *err)
{
    sdw_result *r = j->result = sdw_calloc(1, sizeof *r);
    if (r) r->images = sdw_calloc((size_t)j->params.count, sizeof *r->images);
    if (r && r->images) r->seeds = sdw_calloc((size_t)j->params.count, sizeof *r->seeds);
    if (!r || !r->seeds) return sdw_fail_memory(err, "result", (size_t)j->params.count * sizeof *r->images);
    r->count = j->params.count;
    for (int i = 0; i < r->count; i++) r->seeds[i] = j->params.seed + (j->shared ? 0 : (uint64_t)i);
    return SDW_OK;
}

static sdw_status create_arrays(sdw_job *j, sdw_error *err)
{
    size_t pixels = (size_t)j->params.width * (size_t)j->params.height, moments = 2 * j->elements;
    sdw_status status = array(&j->input, j->elements, err);
    if (status == SDW_OK) status = array(&j->decoded, 6 * pixels, err);
    if (status == SDW_OK && j->params.init_image) status = array(&j->moments, moments, err);
    if (status == SDW_OK && j->nine_channels) status = array(&j->masked_moments, moments, err);
    if (status == SDW_OK && j->shared) status = array(&j->draws, (size_t)j->group_size * j->elements, err);
    return status;
}

static sdw_status check_memory(const sdw_job *j, sdw_error *err)
{
    sdw_cost cost;
    sdw_status status = sdw_job_cost(j->engine, &j->params, &cost, err);
    if (status != SDW_OK || cost.total <= j->engine->memory_limit) return status;
    return sdw_fail(err, SDW_NO_MEMORY, "%d x %d needs %llu bytes of memory (weights %llu, activations %llu), the limit is %llu", j->params.width,
                    j->params.height, (unsigned long long)cost.total, (unsigned long long)cost.weights, (unsigned long long)cost.activations,
                    (unsigned long long)j->engine->memory_limit);
}

static sdw_status set_up(sdw_job *j, sdw_error *err)
{
    j->h = sdw_engine_latent_side(j->engine, j->params.height);
    j->w = sdw_engine_latent_side(j->engine, j->params.width);
    j->elements = (size_t)j->shape->latent_channels * (size_t)j->h * (size_t)j->w;
    j->rows = sdw_uses_guidance(&j->params) ? 2 : 1;
    j->nine_channels = j->shape->unet_in_channels != j->shape->latent_channels;
    j->shared = strcmp(j->params.rng_batch, "shared") == 0;
    j->group_size = j->shared || j->hooks.together ? j->params.count : 1;
    sdw_status status = sdw_conditioning_measure(j->engine, &j->params, &j->tokens, err);
    if (status == SDW_OK) status = check_memory(j, err);
    if (status == SDW_OK) status = sdw_inputs_prepare(&j->params, j->shape->vae_factor, &j->inputs, err);
    if (status == SDW_OK) status = sdw_job_create_lanes(j, err);
    if (status == SDW_OK) status = create_arrays(j, err);
    if (status == SDW_OK) status = create_result(j, err);
    return status;
}

sdw_status sdw_job_create(sdw_engine *e, const sdw_params *params, const sdw_job_hooks *hooks, sdw_job **ret, sdw_error *err)
{
    sdw_job *j = sdw_calloc(1, sizeof *j);
    if (!j) return sdw_fail_memory(err, "job", sizeof *j);
    j->engine = e;
    j->params = *params;
    if (hooks) j->hooks = *hooks;
    j->shape = sdw_pipeline_shape_of(e->pipeline);
    j->phase = SDW_PHASE_TEXT;
    sdw_status status = set_up(j, err);
    if (status != SDW_OK) sdw_job_free(j);
    else *ret = j;
    return status;
}

void sdw_job_free(sdw_job *j)
{
    if (!j) return;
    sdw_job_free_lanes(j);
    sdw_vae_run_end(j->vae);
    sdw_vae_run_end(j->look);
    sdw_condition_free(j->engine->pipeline, j->condition);
    sdw_inputs_finish(&j->inputs);
    sdw_free(j->moments);
    sdw_free(j->masked_moments);
    sdw_free(j->draws);
    sdw_free(j->input);
    sdw_free(j->decoded);
    sdw_result_free(j->result);
    sdw_free(j);
}

/* ---- units of work ---- */

static sdw_status encode_text(sdw_job *j, sdw_error *err)
{
    sdw_pipeline *p = j->engine->pipeline;
    sdw_conditioning c;
    sdw_status status = sdw_conditioning_encode(j->engine, &j->params, &c, err);
    if (status != SDW_OK) return status;
    if (j->engine->release_parts) {
        sdw_pipeline_unload(p, SDW_PART_TEXT_ENCODER);
        sdw_pipeline_unload(p, SDW_PART_TEXT_ENCODER_2);
    }
    sdw_condition_request r = { .rows = c.rows, .tokens = c.tokens, .context = c.context, .pooled = c.pooled, .time_ids = c.time_ids };
    status = sdw_condition_create(p, &r, &j->condition, err);
    sdw_conditioning_finish(&c);
    return status;
}

/* ---- the machine ---- */

static void begin_steps(sdw_job *j)
{
    sdw_job_start_lanes(j);
    j->phase = SDW_PHASE_STEP;
    if (sdw_sampling_steps(j->lanes[0].sampling) > 0) return;
    if (j->first == 0)
        sdw_engine_warn(j->engine, "strength %g leaves none of %d steps: the picture comes back re-encoded", j->params.strength, j->params.steps);
    j->phase = SDW_PHASE_DECODE;
}

static void begin_decode(sdw_job *j)
{
    j->turn = 0;
    j->phase = SDW_PHASE_DECODE;
    if (j->engine->release_parts && j->first + j->group_size == j->params.count) sdw_pipeline_unload(j->engine->pipeline, SDW_PART_UNET);
}

/* Has every lane something to show? */
static bool all_evaluated(const sdw_job *j)
{
    for (int i = 0; i < j->group_size; i++)
        if (sdw_sampling_evaluations_done(j->lanes[i].sampling) == 0) return false;
    return true;
}

void sdw_job_after_evaluation(sdw_job *j)
{
    bool finished = true;
    for (int i = 0; i < j->group_size; i++) finished = finished && sdw_lane_finished(&j->lanes[i]);
    if (finished || (j->early && all_evaluated(j))) begin_decode(j);
}

/* One model evaluation of the lane whose turn it is. */
static sdw_status step(sdw_job *j, sdw_error *err)
{
    sdw_batch_turn turn = { .job = j, .lane = j->turn };
    j->turn = (j->turn + 1) % j->group_size;
    sdw_status status = sdw_batch_step(j->engine, &turn, 1, err);
    if (status != SDW_OK || turn.status == SDW_OK) return status;
    if (err) *err = turn.error;
    return turn.status;
}

static void after_decode(sdw_job *j)
{
    if (++j->turn < j->group_size) return;
    j->first += j->group_size;
    if (j->first < j->params.count) begin_steps(j);
    else j->phase = SDW_PHASE_DONE;
}

sdw_status sdw_job_advance(sdw_job *j, bool *ret_done, sdw_error *err)
{
    sdw_status status = SDW_OK;
    bool done = false;
    if (atomic_load(sdw_pipeline_cancel_flag(j->engine->pipeline))) return sdw_fail(err, SDW_CANCELLED, "cancelled");
    switch (j->phase) {
    case SDW_PHASE_LOAD:
    case SDW_PHASE_TEXT:
        status = encode_text(j, err);
        if (status != SDW_OK) break;
        j->phase = SDW_PHASE_ENCODE;
        if (!j->moments && !j->masked_moments) begin_steps(j);
        break;
    case SDW_PHASE_ENCODE:
        status = sdw_job_encode_pictures(j, &done, err);
        if (status == SDW_OK && done) begin_steps(j);
        break;
    case SDW_PHASE_STEP:
        status = step(j, err);
        break;
    case SDW_PHASE_DECODE:
        status = sdw_job_decode(j, &done, err);
        if (status == SDW_OK && done) after_decode(j);
        break;
    case SDW_PHASE_DONE: break;
    }
    *ret_done = j->phase == SDW_PHASE_DONE;
    return status;
}

void sdw_job_progress(const sdw_job *j, sdw_progress *ret)
{
    const sdw_lane *l = &j->lanes[j->turn < j->group_size ? j->turn : 0];
    bool started = j->phase == SDW_PHASE_STEP || j->phase == SDW_PHASE_DECODE || j->phase == SDW_PHASE_DONE;
    int picture = j->first + (j->turn < j->group_size ? j->turn : 0);
    ret->phase = j->phase;
    ret->images = j->params.count;
    ret->image = picture < j->params.count ? picture : j->params.count - 1;
    ret->steps = sdw_sampling_steps(l->sampling);
    ret->step = started ? sdw_sampling_steps_done(l->sampling) : 0;
    ret->evals = j->evals;
}

const float *sdw_job_estimate(const sdw_job *j, int *ret_channels, int *ret_h, int *ret_w)
{
    if ((j->phase != SDW_PHASE_STEP && j->phase != SDW_PHASE_DECODE) || sdw_sampling_evaluations_done(j->lanes[0].sampling) == 0) return NULL;
    *ret_channels = j->shape->latent_channels;
    *ret_h = j->h;
    *ret_w = j->w;
    return sdw_sampling_estimate(j->lanes[0].sampling);
}

void sdw_job_finish_early(sdw_job *j)
{
    j->early = true; /* without an evaluation of every lane there is nothing to show: it takes effect after that */
    if (j->phase == SDW_PHASE_STEP && all_evaluated(j)) begin_decode(j);
}

void sdw_job_key_of(const sdw_job *j, sdw_job_key *ret)
{
    *ret = (sdw_job_key){ .h = j->h, .w = j->w, .tokens = j->tokens, .rows = j->rows };
}

int sdw_job_lanes(const sdw_job *j)
{
    return j->group_size;
}

int sdw_job_lane_evaluations(const sdw_job *j, int lane)
{
    return j->phase != SDW_PHASE_STEP || sdw_lane_finished(&j->lanes[lane]) ? -1 : sdw_sampling_evaluations_done(j->lanes[lane].sampling);
}

int sdw_job_steps_done(const sdw_job *j)
{
    int least = INT_MAX;
    if (j->phase == SDW_PHASE_LOAD || j->phase == SDW_PHASE_TEXT || j->phase == SDW_PHASE_ENCODE) return 0;
    for (int i = 0; i < j->group_size; i++) {
        int done = sdw_sampling_steps_done(j->lanes[i].sampling);
        if (done < least) least = done;
    }
    return least;
}

sdw_status sdw_job_take(sdw_job *j, sdw_result **ret, sdw_error *err)
{
    if (j->phase != SDW_PHASE_DONE || !j->result) return sdw_fail(err, SDW_INTERNAL, "job: the result is taken before it is there");
    j->result->steps_run = j->early ? sdw_sampling_steps_done(j->lanes[0].sampling) : sdw_sampling_steps(j->lanes[0].sampling);
    *ret = j->result;
    j->result = NULL;
    return SDW_OK;
}

