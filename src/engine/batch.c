/* batch.c - see batch.h. Keys and values of the members lie side by side in a condition of the batch's own, which is made
 * anew when the members change; a job alone is read where it is. */
#include "engine/batch.h"

#include <string.h>

#include "core/mem.h"
#include "engine/job_impl.h"
#include "engine/pipeline_impl.h"

struct sdw_batch {
    float *sample, *output, *timesteps; /* rows of the UNet's input and output; grow only */
    size_t sample_floats, output_floats, timestep_floats;
    sdw_condition *joined;              /* of the members below; NULL: none */
    uint64_t member[SDW_BATCH_TURNS_MAX]; /* serials */
    int members;
};

void sdw_batch_free(sdw_engine *e, sdw_batch *b)
{
    if (!b) return;
    sdw_condition_free(e->pipeline, b->joined);
    sdw_free(b->sample);
    sdw_free(b->output);
    sdw_free(b->timesteps);
    sdw_free(b);
}

static sdw_status room(float **array, size_t *floats, size_t want, sdw_error *err)
{
    if (want <= *floats) return SDW_OK;
    sdw_free(*array);
    *floats = 0;
    *array = sdw_malloc(want * sizeof **array);
    if (!*array) return sdw_fail_memory(err, "batch", want * sizeof **array);
    *floats = want;
    return SDW_OK;
}

static sdw_status make_room(sdw_engine *e, const sdw_job *j, size_t rows, sdw_error *err)
{
    if (!e->batch) e->batch = sdw_calloc(1, sizeof *e->batch);
    if (!e->batch) return sdw_fail_memory(err, "batch", sizeof *e->batch);
    sdw_batch *b = e->batch;
    size_t hw = (size_t)j->h * (size_t)j->w;
    sdw_status status = room(&b->sample, &b->sample_floats, rows * (size_t)j->shape->unet_in_channels * hw, err);
    if (status == SDW_OK) status = room(&b->output, &b->output_floats, rows * j->elements, err);
    if (status == SDW_OK) status = room(&b->timesteps, &b->timestep_floats, rows, err);
    return status;
}

static void part(sdw_engine *e, sdw_batch *b)
{
    sdw_condition_free(e->pipeline, b->joined);
    b->joined = NULL;
    b->members = 0;
}

static bool same_members(const sdw_batch *b, const sdw_batch_turn *turns, int count)
{
    if (!b->joined || b->members != count) return false;
    for (int i = 0; i < count; i++)
        if (b->member[i] != sdw_condition_serial(turns[i].job->condition)) return false;
    return true;
}

static sdw_status join(sdw_engine *e, const sdw_batch_turn *turns, int count, const sdw_condition **ret, sdw_error *err)
{
    const sdw_condition *parts[SDW_BATCH_TURNS_MAX];
    sdw_batch *b = e->batch;
    if (count == 1) {
        part(e, b); /* its memory goes to whom the others were */
        *ret = turns[0].job->condition;
        return SDW_OK;
    }
    if (!same_members(b, turns, count)) {
        part(e, b);
        for (int i = 0; i < count; i++) parts[i] = turns[i].job->condition;
        sdw_status status = sdw_condition_join(e->pipeline, parts, count, &b->joined, err);
        if (status != SDW_OK) return status;
        for (int i = 0; i < count; i++) b->member[i] = sdw_condition_serial(parts[i]);
        b->members = count;
    }
    *ret = b->joined;
    return SDW_OK;
}

static sdw_status check(const sdw_batch_turn *turns, int count, size_t *ret_rows, sdw_error *err)
{
    const sdw_job *first = turns[0].job;
    *ret_rows = 0;
    if (count > SDW_BATCH_TURNS_MAX) return sdw_fail(err, SDW_INTERNAL, "batch: %d pictures, want at most %d", count, SDW_BATCH_TURNS_MAX);
    for (int i = 0; i < count; i++) {
        const sdw_job *j = turns[i].job;
        if (j->phase != SDW_PHASE_STEP || sdw_lane_finished(&j->lanes[turns[i].lane]) || j->h != first->h || j->w != first->w || j->tokens != first->tokens)
            return sdw_fail(err, SDW_INTERNAL, "batch: a picture that fits none of the others");
        *ret_rows += (size_t)j->rows;
    }
    return SDW_OK;
}

/* Lanes of one job lie side by side: it goes on when its last one has had its answer. */
static void settle(const sdw_batch_turn *turns, int count)
{
    for (int i = 0; i < count; i++)
        if ((i + 1 == count || turns[i + 1].job != turns[i].job) && turns[i].status == SDW_OK) sdw_job_after_evaluation(turns[i].job);
}

sdw_status sdw_batch_step(sdw_engine *e, sdw_batch_turn *turns, int count, sdw_error *err)
{
    const sdw_job *first = turns[0].job;
    const sdw_condition *condition;
    size_t rows, at = 0;
    if (atomic_load(sdw_pipeline_cancel_flag(e->pipeline))) return sdw_fail(err, SDW_CANCELLED, "cancelled");
    sdw_status status = check(turns, count, &rows, err);
    if (status == SDW_OK) status = make_room(e, first, rows, err);
    if (status == SDW_OK) status = join(e, turns, count, &condition, err);
    if (status != SDW_OK) return status;
    sdw_batch *b = e->batch;
    size_t in = (size_t)first->shape->unet_in_channels * (size_t)first->h * (size_t)first->w;
    for (int i = 0; i < count; at += (size_t)turns[i++].job->rows) sdw_lane_ask(&turns[i].job->lanes[turns[i].lane], b->sample + at * in, b->timesteps + at);
    status = sdw_pipeline_unet(e->pipeline, condition, first->h, first->w, b->sample, b->timesteps, b->output, err);
    if (status != SDW_OK) return status;
    at = 0;
    for (int i = 0; i < count; at += (size_t)turns[i++].job->rows) {
        sdw_lane *l = &turns[i].job->lanes[turns[i].lane];
        turns[i].status = sdw_lane_answer(l, b->output + at * first->elements, &turns[i].error);
    }
    settle(turns, count);
    return SDW_OK;
}

sdw_status sdw_batch_bytes(sdw_engine *e, const sdw_job_key *key, int rows, uint64_t *ret, sdw_error *err)
{
    sdw_plan_size size;
    const sdw_pipeline_shape *s = sdw_pipeline_shape_of(e->pipeline);
    sdw_plan_key plan = { .kind = SDW_PLAN_STEP, .rows = rows, .tokens = key->tokens, .h = key->h, .w = key->w };
    sdw_status status = sdw_pipeline_plan_size(e->pipeline, &plan, &size, err);
    if (status != SDW_OK) return status;
    uint64_t arrays = 2 * (uint64_t)rows * (uint64_t)(s->unet_in_channels + s->latent_channels) * (uint64_t)key->h * (uint64_t)key->w * sizeof(float);
    *ret = size.pool_bytes + arrays + (rows > key->rows ? sdw_condition_bytes(&e->pipeline->unet, rows, key->tokens) : 0);
    return SDW_OK;
}
