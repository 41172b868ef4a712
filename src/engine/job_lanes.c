/* job_lanes.c - one picture between two model evaluations: random numbers in the reference's order, what goes into the
 * UNet, and what its answer does to the latents. Knows nothing of who else shares the evaluation. */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "engine/job_impl.h"
#include "engine/options.h"

/* ---- memory ---- */

static sdw_status array(float **ret, size_t count, sdw_error *err)
{
    *ret = sdw_malloc(count * sizeof **ret);
    return *ret ? SDW_OK : sdw_fail_memory(err, "job", count * sizeof **ret);
}

sdw_status sdw_job_create_lanes(sdw_job *j, sdw_error *err)
{
    bool keep_noise = j->params.mask && !j->nine_channels;
    j->lanes = sdw_calloc((size_t)j->group_size, sizeof *j->lanes);
    if (!j->lanes) return sdw_fail_memory(err, "job", (size_t)j->group_size * sizeof *j->lanes);
    sdw_sampling_options o;
    sdw_status status = sdw_sampling_options_of(&j->params, j->hooks.own_spacing, j->elements, &o, err);
    for (int i = 0; i < j->group_size && status == SDW_OK; i++) {
        sdw_lane *l = &j->lanes[i];
        *l = (sdw_lane){ .job = j, .index = i };
        status = sdw_sampling_create(sdw_pipeline_scheduler(j->engine->pipeline), &o, &l->sampling, err);
        if (status == SDW_OK) status = array(&l->noise, j->elements, err);
        if (status == SDW_OK && (j->params.init_image || keep_noise)) status = array(&l->clean, j->elements, err);
        if (status == SDW_OK && j->nine_channels) status = array(&l->masked, j->elements, err);
    }
    return status;
}

void sdw_job_free_lanes(sdw_job *j)
{
    for (int i = 0; j->lanes && i < j->group_size; i++) {
        sdw_sampling_free(j->lanes[i].sampling);
        sdw_free(j->lanes[i].noise);
        sdw_free(j->lanes[i].clean);
        sdw_free(j->lanes[i].masked);
    }
    sdw_free(j->lanes);
    j->lanes = NULL;
}

/* ---- random numbers ---- */

/* The next draw of a lane: from its own generator, or its share of a draw for the whole group. */
static void draw(void *ctx, float *dst, size_t n)
{
    sdw_lane *l = ctx;
    sdw_job *j = l->job;
    if (!j->shared) {
        sdw_rng_normal(&l->rng, dst, n);
        return;
    }
    if (l->index == 0) sdw_rng_normal(&j->rng, j->draws, n * (size_t)j->group_size);
    memcpy(dst, j->draws + (size_t)l->index * n, n * sizeof *dst);
}

/* A draw of the shape of one latent, whatever the size of the group. */
static void draw_one(sdw_lane *l, float *dst)
{
    sdw_job *j = l->job;
    sdw_rng_normal(j->shared ? &j->rng : &l->rng, dst, j->elements);
}

/* ---- start ---- */

/* z = mean + exp(clamp(logvar, -30, 20) / 2) * noise, then into the space that the UNet works in. noise and ret may be the same. */
static void posterior(const sdw_job *j, const float *moments, const float *noise, float *ret)
{
    const float *mean = moments, *logvar = moments + j->elements;
    float shift = (float)j->shape->shift_factor, scale = (float)j->shape->scaling_factor;
    for (size_t i = 0; i < j->elements; i++) {
        float v = logvar[i] < -30.0f ? -30.0f : logvar[i] > 20.0f ? 20.0f : logvar[i];
        ret[i] = (mean[i] + expf(0.5f * v) * noise[i] - shift) * scale;
    }
}

/* Draws in the reference's order: posterior of the picture, noise, posterior of the masked picture. */
static void start_lane(sdw_lane *l)
{
    sdw_job *j = l->job;
    bool full = j->params.strength >= 1.0, inpaint = j->params.mask != NULL;
    bool clean = j->moments && !(j->nine_channels && full);
    if (clean && (!j->shared || l->index == 0)) {
        draw_one(l, l->clean);
        posterior(j, j->moments, l->clean, l->clean);
    } else if (clean) {
        memcpy(l->clean, j->lanes[0].clean, j->elements * sizeof *l->clean);
    }
    if (j->hooks.noise && l->index == 0 && j->first == 0) memcpy(l->noise, j->hooks.noise, j->elements * sizeof *l->noise);
    else draw(l, l->noise, j->elements);
    if (inpaint && (!j->shared || l->index == j->group_size - 1)) { /* after the whole batch's noise */
        float *masked = l->masked ? l->masked : j->input;           /* with 4 channels the reference draws it and forgets it */
        draw_one(l, masked);
        if (l->masked) posterior(j, j->masked_moments, masked, masked);
    }
    if (clean && !(inpaint && full)) sdw_sampling_start_image(l->sampling, l->clean, l->noise);
    else sdw_sampling_start_noise(l->sampling, l->noise);
}

void sdw_job_start_lanes(sdw_job *j)
{
    sdw_rng_kind kind = strcmp(j->params.rng, sdw_rng_name(SDW_RNG_TORCH_CUDA)) == 0 ? SDW_RNG_TORCH_CUDA : SDW_RNG_TORCH_CPU;
    sdw_rng_init(&j->rng, kind, j->params.seed);
    for (int i = 0; i < j->group_size; i++) {
        sdw_rng_init(&j->lanes[i].rng, kind, j->params.seed + (uint64_t)(j->first + i));
        start_lane(&j->lanes[i]);
    }
    const float *masked = j->lanes[j->group_size - 1].masked;
    for (int i = 0; masked && i < j->group_size - 1; i++) memcpy(j->lanes[i].masked, masked, j->elements * sizeof *masked);
    j->turn = 0;
}

/* ---- an evaluation ---- */

bool sdw_lane_finished(const sdw_lane *l)
{
    return sdw_sampling_evaluations_done(l->sampling) >= sdw_sampling_evaluations(l->sampling);
}

/* The scaled state, and for 9 channels mask and masked picture, the same in every row. */
void sdw_lane_ask(const sdw_lane *l, float *rows, float *timesteps)
{
    const sdw_job *j = l->job;
    size_t hw = (size_t)j->h * (size_t)j->w, row = (size_t)j->shape->unet_in_channels * hw;
    sdw_sampling_next(l->sampling, &timesteps[0], rows);
    if (j->nine_channels) {
        memcpy(rows + j->elements, j->inputs.mask, hw * sizeof *rows);
        memcpy(rows + j->elements + hw, l->masked, j->elements * sizeof *rows);
    }
    for (int r = 1; r < j->rows; r++) {
        timesteps[r] = timesteps[0];
        memcpy(rows + (size_t)r * row, rows, row * sizeof *rows);
    }
}

static double deviation(const float *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(squares / (double)(n - 1)) : 0.0;
}

/* Classifier-free guidance (Ho and Salimans 2022), negative + g (prompt - negative), and its rescaling (Lin et al.
 * 2023): the result goes over the first row. */
static void guide(const sdw_job *j, float *rows)
{
    float *negative = rows, g = (float)j->params.guidance;
    const float *prompt = rows + j->elements;
    size_t n = j->elements;
    if (j->rows == 1) return;
    for (size_t i = 0; i < n; i++) negative[i] += g * (prompt[i] - negative[i]);
    double phi = j->params.guidance_rescale;
    if (phi <= 0) return;
    double guided = deviation(negative, n);
    if (!(guided > 0)) return;
    float factor = (float)(phi * deviation(prompt, n) / guided + (1.0 - phi));
    for (size_t i = 0; i < n; i++) negative[i] *= factor;
}

/* Inpainting with a UNet that knows no mask: outside the mask the state is the noised original (Lugmayr et al. 2022). */
static void keep_original(const sdw_job *j, const sdw_lane *l)
{
    size_t hw = (size_t)j->h * (size_t)j->w;
    float *state = sdw_sampling_state(l->sampling);
    if (!j->params.mask || j->nine_channels) return;
    sdw_sampling_noised(l->sampling, l->clean, l->noise, j->input);
    for (size_t i = 0; i < j->elements; i++) {
        float m = j->inputs.mask[i % hw];
        state[i] = m * state[i] + (1.0f - m) * j->input[i];
    }
}

sdw_status sdw_lane_answer(sdw_lane *l, float *rows, sdw_error *err)
{
    sdw_job *j = l->job;
    guide(j, rows);
    sdw_status status = sdw_sampling_feed(l->sampling, rows, draw, l, NULL, err);
    if (status != SDW_OK) return status;
    keep_original(j, l);
    j->evals++;
    if (j->hooks.after_feed) j->hooks.after_feed(j->hooks.ctx, j->first + l->index, sdw_sampling_state(l->sampling), j->elements);
    return SDW_OK;
}
