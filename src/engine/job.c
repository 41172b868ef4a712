/* job.c - the state machine of one request.
 *
 * Pictures of a request run in groups: alone, each with its own generator (seed, seed + 1, ...), or all together from one
 * generator, which then makes each draw for the whole batch at once, as the reference does. A group's pictures take
 * turns at every model evaluation. */
#include "engine/job.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "diffusion/sampling.h"
#include "engine/conditioning.h"
#include "engine/inputs.h"
#include "engine/options.h"

typedef struct lane { /* one picture of the running group */
    sdw_job *job;
    int index;              /* in the group */
    sdw_rng rng;            /* of its own, unless the group shares one */
    sdw_sampling *sampling;
    float *noise;           /* first draw, kept for inpainting with 4 channels */
    float *clean;           /* latents of the init picture, or NULL */
    float *masked;          /* latents of the masked picture, 9 channels only */
} lane;

struct sdw_job {
    sdw_engine *engine;
    sdw_params params;
    sdw_job_hooks hooks;
    const sdw_pipeline_shape *shape;
    sdw_phase phase;
    int h, w;               /* of the latents */
    size_t elements;        /* of one latent */
    int rows, tokens;
    bool nine_channels;     /* the UNet reads mask and masked picture */
    sdw_inputs inputs;
    float *moments, *masked_moments; /* of the VAE encoder; computed once */
    sdw_condition *condition;
    lane *lanes;            /* group_size of them */
    int group_size, first;  /* first: picture number of lane 0 */
    int turn;               /* lane whose turn it is */
    bool shared;
    sdw_rng rng;            /* of a group that shares one */
    float *draws;           /* its latest draw for all lanes */
    float *sample, *output, *input; /* host arrays of one evaluation */
    float *decoded;         /* (3, height, width), then values (height, width, 3) behind it */
    int evals;
    sdw_result *result;
};

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

static sdw_status create_lanes(sdw_job *j, sdw_error *err)
{
    bool keep_noise = j->params.mask && !j->nine_channels;
    j->lanes = sdw_calloc((size_t)j->group_size, sizeof *j->lanes);
    if (!j->lanes) return sdw_fail_memory(err, "job", (size_t)j->group_size * sizeof *j->lanes);
    sdw_sampling_options o;
    sdw_status status = sdw_sampling_options_of(&j->params, j->hooks.own_spacing, j->elements, &o, err);
    for (int i = 0; i < j->group_size && status == SDW_OK; i++) {
        lane *l = &j->lanes[i];
        *l = (lane){ .job = j, .index = i };
        status = sdw_sampling_create(sdw_pipeline_scheduler(j->engine->pipeline), &o, &l->sampling, err);
        if (status == SDW_OK) status = array(&l->noise, j->elements, err);
        if (status == SDW_OK && (j->params.init_image || keep_noise)) status = array(&l->clean, j->elements, err);
        if (status == SDW_OK && j->nine_channels) status = array(&l->masked, j->elements, err);
    }
    return status;
}

static sdw_status create_arrays(sdw_job *j, sdw_error *err)
{
    size_t hw = (size_t)j->h * (size_t)j->w, pixels = (size_t)j->params.width * (size_t)j->params.height;
    size_t rows = (size_t)j->rows, moments = 2 * j->elements;
    sdw_status status = array(&j->input, j->elements, err);
    if (status == SDW_OK) status = array(&j->sample, rows * (size_t)j->shape->unet_in_channels * hw, err);
    if (status == SDW_OK) status = array(&j->output, rows * j->elements, err);
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
    j->group_size = j->shared ? j->params.count : 1;
    sdw_status status = sdw_conditioning_measure(j->engine, &j->params, &j->tokens, err);
    if (status == SDW_OK) status = check_memory(j, err);
    if (status == SDW_OK) status = sdw_inputs_prepare(&j->params, j->shape->vae_factor, &j->inputs, err);
    if (status == SDW_OK) status = create_lanes(j, err);
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
    for (int i = 0; j->lanes && i < j->group_size; i++) {
        sdw_sampling_free(j->lanes[i].sampling);
        sdw_free(j->lanes[i].noise);
        sdw_free(j->lanes[i].clean);
        sdw_free(j->lanes[i].masked);
    }
    sdw_free(j->lanes);
    sdw_condition_free(j->engine->pipeline, j->condition);
    sdw_inputs_finish(&j->inputs);
    sdw_free(j->moments);
    sdw_free(j->masked_moments);
    sdw_free(j->draws);
    sdw_free(j->sample);
    sdw_free(j->output);
    sdw_free(j->input);
    sdw_free(j->decoded);
    sdw_result_free(j->result);
    sdw_free(j);
}

/* ---- random numbers ---- */

/* The next draw of a lane: from its own generator, or its share of a draw for the whole group. */
static void draw(void *ctx, float *dst, size_t n)
{
    lane *l = ctx;
    sdw_job *j = l->job;
    if (!j->shared) {
        sdw_rng_normal(&l->rng, dst, n);
        return;
    }
    if (l->index == 0) sdw_rng_normal(&j->rng, j->draws, n * (size_t)j->group_size);
    memcpy(dst, j->draws + (size_t)l->index * n, n * sizeof *dst);
}

/* A draw of the shape of one latent, whatever the size of the group. */
static void draw_one(lane *l, float *dst)
{
    sdw_job *j = l->job;
    sdw_rng_normal(j->shared ? &j->rng : &l->rng, dst, j->elements);
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

static sdw_status encode_pictures(sdw_job *j, sdw_error *err)
{
    sdw_pipeline *p = j->engine->pipeline;
    sdw_status status = SDW_OK;
    if (j->moments) status = sdw_pipeline_vae_encode(p, j->h, j->w, j->inputs.picture, j->moments, err);
    if (status == SDW_OK && j->masked_moments) status = sdw_pipeline_vae_encode(p, j->h, j->w, j->inputs.masked, j->masked_moments, err);
    return status;
}

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
static void start_lane(lane *l)
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

static void start_group(sdw_job *j)
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

/* Rows of the UNet's input: the scaled state, and for 9 channels mask and masked picture, the same in every row. */
static void fill_sample(const sdw_job *j, const lane *l)
{
    size_t hw = (size_t)j->h * (size_t)j->w, row = (size_t)j->shape->unet_in_channels * hw;
    memcpy(j->sample, j->input, j->elements * sizeof *j->sample);
    if (j->nine_channels) {
        memcpy(j->sample + j->elements, j->inputs.mask, hw * sizeof *j->sample);
        memcpy(j->sample + j->elements + hw, l->masked, j->elements * sizeof *j->sample);
    }
    for (int r = 1; r < j->rows; r++) memcpy(j->sample + (size_t)r * row, j->sample, row * sizeof *j->sample);
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
 * 2023): the result goes over the first row of out. */
static void guide(const sdw_job *j)
{
    float *negative = j->output, g = (float)j->params.guidance;
    const float *prompt = j->output + j->elements;
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
static void keep_original(const sdw_job *j, const lane *l)
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

/* One model evaluation of the lane whose turn it is; *ret_more is false when every lane of the group has finished. */
static sdw_status step(sdw_job *j, bool *ret_more, sdw_error *err)
{
    lane *l = &j->lanes[j->turn];
    float timesteps[2];
    *ret_more = sdw_sampling_next(l->sampling, &timesteps[0], j->input);
    if (!*ret_more) return SDW_OK;
    timesteps[1] = timesteps[0];
    fill_sample(j, l);
    sdw_status status = sdw_pipeline_unet(j->engine->pipeline, j->condition, j->h, j->w, j->sample, timesteps, j->output, err);
    if (status != SDW_OK) return status;
    guide(j);
    status = sdw_sampling_feed(l->sampling, j->output, draw, l, NULL, err);
    if (status != SDW_OK) return status;
    keep_original(j, l);
    j->evals++;
    if (j->hooks.after_feed) j->hooks.after_feed(j->hooks.ctx, j->first + j->turn, sdw_sampling_state(l->sampling), j->elements);
    j->turn = (j->turn + 1) % j->group_size;
    return SDW_OK;
}

static sdw_status store(sdw_job *j, int picture, const float *values, sdw_error *err)
{
    sdw_image *image;
    sdw_status status = sdw_image_create(j->params.width, j->params.height, 3, &image, err);
    if (status != SDW_OK) return status;
    for (size_t i = 0; i < sdw_image_bytes(image); i++) image->pixels[i] = (uint8_t)lrintf(255.0f * values[i]); /* half to even */
    status = sdw_inputs_paste_back(&j->inputs, &j->params, &image, err);
    if (status == SDW_OK) {
        j->result->images[picture] = (sdw_picture){ .width = image->width, .height = image->height, .channels = 3, .pixels = image->pixels };
        image->pixels = NULL;
    }
    sdw_image_free(image);
    return status;
}

static sdw_status decode(sdw_job *j, sdw_error *err)
{
    lane *l = &j->lanes[j->turn];
    const float *state = sdw_sampling_state(l->sampling);
    float shift = (float)j->shape->shift_factor, scale = (float)j->shape->scaling_factor;
    size_t n = (size_t)j->params.width * (size_t)j->params.height;
    for (size_t i = 0; i < j->elements; i++) j->input[i] = state[i] / scale + shift;
    sdw_status status = sdw_pipeline_vae_decode(j->engine->pipeline, j->h, j->w, j->input, j->decoded, err);
    if (status != SDW_OK) return status;
    float *values = j->decoded + 3 * n;
    for (size_t i = 0; i < 3 * n; i++) {
        float v = j->decoded[i % 3 * n + i / 3];
        if (!isfinite(v)) return sdw_fail(err, SDW_NUMERIC, "vae decode: picture %d has values that are not finite", j->first + j->turn + 1);
        v = v / 2.0f + 0.5f;
        values[i] = v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    }
    if (j->hooks.decoded) j->hooks.decoded(j->hooks.ctx, j->first + j->turn, values, j->params.width, j->params.height);
    return store(j, j->first + j->turn, values, err);
}

/* ---- the machine ---- */

static void begin_steps(sdw_job *j)
{
    start_group(j);
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
    bool more = true;
    if (atomic_load(sdw_pipeline_cancel_flag(j->engine->pipeline))) return sdw_fail(err, SDW_CANCELLED, "cancelled");
    switch (j->phase) {
    case SDW_PHASE_LOAD:
    case SDW_PHASE_TEXT:
        status = encode_text(j, err);
        if (status == SDW_OK) j->phase = SDW_PHASE_ENCODE;
        break;
    case SDW_PHASE_ENCODE:
        status = encode_pictures(j, err);
        if (status == SDW_OK) begin_steps(j);
        break;
    case SDW_PHASE_STEP:
        status = step(j, &more, err);
        if (status == SDW_OK && !more) begin_decode(j);
        break;
    case SDW_PHASE_DECODE:
        status = decode(j, err);
        if (status == SDW_OK) after_decode(j);
        break;
    case SDW_PHASE_DONE: break;
    }
    *ret_done = j->phase == SDW_PHASE_DONE;
    return status;
}

void sdw_job_progress(const sdw_job *j, sdw_progress *ret)
{
    const lane *l = &j->lanes[j->turn < j->group_size ? j->turn : 0];
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

sdw_status sdw_job_take(sdw_job *j, sdw_result **ret, sdw_error *err)
{
    if (j->phase != SDW_PHASE_DONE || !j->result) return sdw_fail(err, SDW_INTERNAL, "job: the result is taken before it is there");
    j->result->steps_run = sdw_sampling_steps(j->lanes[0].sampling);
    *ret = j->result;
    j->result = NULL;
    return SDW_OK;
}

/* ---- cost ---- */

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What is held at one moment of a job. */
typedef struct moment {
    uint64_t weights, activations;
} moment;

static void reach(moment *peak, uint64_t weights, uint64_t activations)
{
    if (weights + activations > peak->weights + peak->activations) *peak = (moment){ weights, activations };
}

/* The fullest moment of a job. The pool is one for all plans, and grows only. Prompts are encoded first, then the UNet is
 * packed for its keys and values, and stays while pictures are encoded; parts that are done with are given back if the
 * engine does that. */
static moment fullest(const sdw_pipeline_cost *c, const sdw_params *r, bool release)
{
    uint64_t text = c->packed[SDW_PART_TEXT_ENCODER] + c->packed[SDW_PART_TEXT_ENCODER_2];
    uint64_t unet = c->packed[SDW_PART_UNET], vae = c->packed[SDW_PART_VAE], pool = c->text_pool;
    bool picture = r->init_image != NULL, again = r->count > 1 && strcmp(r->rng_batch, "shared") != 0; /* steps after a decode */
    moment peak = { text, pool };
    pool = most(pool, most(c->unet_pool, picture ? c->encode_pool : 0));
    reach(&peak, unet + (picture ? vae : 0), pool + c->condition_bytes);
    pool = most(pool, c->decode_pool);
    reach(&peak, vae + (again ? unet : 0), pool + c->condition_bytes);
    return release ? peak : (moment){ text + unet + vae, pool + c->condition_bytes };
}

sdw_status sdw_job_cost(sdw_engine *e, const sdw_params *params, sdw_cost *ret, sdw_error *err)
{
    sdw_pipeline_cost c;
    int rows = sdw_uses_guidance(params) ? 2 : 1, tokens;
    sdw_status status = sdw_conditioning_measure(e, params, &tokens, err);
    if (status == SDW_OK)
        status = sdw_pipeline_estimate(e->pipeline, rows, tokens, sdw_engine_latent_side(e, params->height), sdw_engine_latent_side(e, params->width), &c, err);
    if (status != SDW_OK) return status;
    moment peak = fullest(&c, params, e->release_parts);
    /* Host arrays: result pixels, decoded values, the transposed picture, init picture and mask; and the program itself. */
    uint64_t host = (uint64_t)params->width * (uint64_t)params->height * (3 * (uint64_t)params->count + 4 * 3 * 4) + ((uint64_t)32 << 20);
    *ret = (sdw_cost){
        .weights = peak.weights, .activations = peak.activations, .total = peak.weights + peak.activations + host,
        .gflop_text = c.text_flop / 1e9, .gflop_step = c.unet_flop / 1e9, .gflop_vae_decode = c.decode_flop / 1e9,
    };
    return SDW_OK;
}
