/* pipeline_run.c - the four parts as calls: text, condition, UNet, VAE. Each call finds its plan, binds host arrays and
 * runs; latents and pictures change their layout at this border and nowhere else. */
#include <string.h>

#include "core/mem.h"
#include "engine/layout.h"
#include "engine/pipeline_impl.h"

static sdw_status host_array(float **ret, size_t count, const char *what, sdw_error *err)
{
    size_t bytes;
    if (!sdw_size_mul(count, sizeof **ret, &bytes)) return sdw_fail_memory(err, what, (size_t)-1);
    *ret = sdw_aligned_alloc(64, bytes ? bytes : 64);
    return *ret ? SDW_OK : sdw_fail_memory(err, what, bytes);
}

/* ---- text ---- */

sdw_status sdw_pipeline_text(sdw_pipeline *p, const sdw_text_request *r, sdw_error *err)
{
    if (r->index < 0 || r->index >= p->shape.text_encoders)
        return sdw_fail(err, SDW_INTERNAL, "text encoder %d of %d", r->index + 1, p->shape.text_encoders);
    if (r->layer < 0 || r->layer >= p->shape.text_layers[r->index])
        return sdw_fail_field(err, SDW_INVALID, "clip_skip", "clip_skip goes %d layers back, text encoder %d has %d", r->layer, r->index + 1,
                              p->shape.text_layers[r->index]);
    if (r->projected && !p->shape.projection_width[r->index])
        return sdw_fail(err, SDW_INTERNAL, "text encoder %d has no projection", r->index + 1);
    sdw_plan_key key = { .kind = SDW_PLAN_TEXT, .rows = r->rows, .tokens = 77, .encoder = r->index, .layer = r->layer,
                         .outputs = (r->hidden ? 1 : 0) | (r->pooled ? 2 : 0) | (r->projected ? 4 : 0) | (r->final_norm ? 8 : 0) };
    sdw_plan_slot *slot;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, r->index ? SDW_PART_TEXT_ENCODER_2 : SDW_PART_TEXT_ENCODER, err);
    if (status != SDW_OK) return status;
    const sdw_clip_io *io = &slot->io.text;
    sdw_plan_bind(slot->plan, io->ids, (void *)r->ids);
    if (io->eos >= 0) sdw_plan_bind(slot->plan, io->eos, (void *)r->eos);
    if (io->hidden >= 0) sdw_plan_bind(slot->plan, io->hidden, r->hidden);
    if (io->pooled >= 0) sdw_plan_bind(slot->plan, io->pooled, r->pooled);
    if (io->projected >= 0) sdw_plan_bind(slot->plan, io->projected, r->projected);
    return sdw_pipeline_run(p, slot, err);
}

/* ---- condition ---- */

static size_t kv_floats(const sdw_unet *u, int rows, int tokens, size_t *ret_offsets)
{
    size_t total = 0;
    for (int i = 0; i < u->context_count; i++) {
        if (ret_offsets) ret_offsets[i] = total;
        size_t n = (size_t)rows * (size_t)tokens * 2 * (size_t)u->context_channels[i];
        total += (n + 15) / 16 * 16;
    }
    return total;
}

size_t sdw_condition_bytes(const sdw_unet *u, int rows, int tokens)
{
    return (kv_floats(u, rows, tokens, NULL) + (size_t)rows * (size_t)u->config.time_width) * sizeof(float);
}

void sdw_condition_free(sdw_pipeline *p, sdw_condition *c)
{
    (void)p;
    if (!c) return;
    sdw_free(c->kv);
    sdw_free(c->kv_offset);
    sdw_free(c->added);
    sdw_free(c);
}

static sdw_status condition_alloc(sdw_pipeline *p, int rows, int tokens, sdw_condition **ret, sdw_error *err)
{
    const sdw_unet *u = &p->unet;
    sdw_condition *c = sdw_calloc(1, sizeof *c);
    if (!c) return sdw_fail_memory(err, "condition", sizeof *c);
    c->rows = rows;
    c->tokens = tokens;
    c->bytes = sdw_condition_bytes(u, rows, tokens);
    c->kv_offset = sdw_calloc((size_t)u->context_count + 1, sizeof *c->kv_offset);
    sdw_status status = c->kv_offset ? host_array(&c->kv, kv_floats(u, rows, tokens, c->kv_offset), "keys and values", err)
                                     : sdw_fail_memory(err, "condition", (size_t)u->context_count * sizeof *c->kv_offset);
    if (status == SDW_OK && u->config.added_width)
        status = host_array(&c->added, (size_t)rows * (size_t)u->config.time_width, "added embedding", err);
    if (status != SDW_OK) sdw_condition_free(p, c);
    else *ret = c;
    return status;
}

static void bind_condition(sdw_plan *plan, const sdw_unet *u, const sdw_condition *c, int first_kv, int added)
{
    for (int i = 0; i < u->context_count; i++) sdw_plan_bind(plan, first_kv + i, c->kv + c->kv_offset[i]);
    if (added >= 0) sdw_plan_bind(plan, added, c->added);
}

sdw_status sdw_condition_create(sdw_pipeline *p, const sdw_condition_request *r, sdw_condition **ret, sdw_error *err)
{
    const sdw_unet *u = &p->unet;
    sdw_plan_key key = { .kind = SDW_PLAN_CONDITION, .rows = r->rows, .tokens = r->tokens };
    sdw_plan_slot *slot;
    sdw_condition *c = NULL;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, SDW_PART_UNET, err);
    if (status == SDW_OK) status = condition_alloc(p, r->rows, r->tokens, &c, err);
    if (status != SDW_OK) return status;
    const sdw_unet_condition_io *io = &slot->io.condition;
    sdw_plan_bind(slot->plan, io->context, (void *)r->context);
    bind_condition(slot->plan, u, c, io->kv, io->added);
    if (io->pooled >= 0) sdw_plan_bind(slot->plan, io->pooled, (void *)r->pooled);
    if (io->time_ids >= 0) sdw_plan_bind(slot->plan, io->time_ids, (void *)r->time_ids);
    status = sdw_pipeline_run(p, slot, err);
    if (status != SDW_OK) sdw_condition_free(p, c);
    else *ret = c;
    return status;
}

/* ---- UNet and VAE ---- */

/* Runs a plan whose input and output change layout: in (n, ci, hw_in) and out (n, co, hw_out), both channels-first. */
typedef struct image_call {
    sdw_plan_slot *slot;
    int bound_in, bound_out, n, in_channels, out_channels;
    size_t in_hw, out_hw;
    const float *in;
    float *out;
} image_call;

static sdw_status run_image(sdw_pipeline *p, const image_call *c, sdw_error *err)
{
    float *in = NULL, *out = NULL;
    sdw_status status = host_array(&in, (size_t)c->n * (size_t)c->in_channels * c->in_hw, "input", err);
    if (status == SDW_OK) status = host_array(&out, (size_t)c->n * (size_t)c->out_channels * c->out_hw, "output", err);
    if (status == SDW_OK) {
        sdw_to_rows(c->in, in, c->n, c->in_channels, c->in_hw);
        sdw_plan_bind(c->slot->plan, c->bound_in, in);
        sdw_plan_bind(c->slot->plan, c->bound_out, out);
        status = sdw_pipeline_run(p, c->slot, err);
    }
    if (status == SDW_OK) sdw_from_rows(out, c->out, c->n, c->out_channels, c->out_hw);
    sdw_free(in);
    sdw_free(out);
    return status;
}

sdw_status sdw_pipeline_unet(sdw_pipeline *p, const sdw_condition *c, int h, int w, const float *sample, const float *timesteps, float *out, sdw_error *err)
{
    const sdw_unet *u = &p->unet;
    sdw_plan_key key = { .kind = SDW_PLAN_STEP, .rows = c->rows, .tokens = c->tokens, .h = h, .w = w };
    sdw_plan_slot *slot;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, SDW_PART_UNET, err);
    if (status != SDW_OK) return status;
    const sdw_unet_step_io *io = &slot->io.step;
    bind_condition(slot->plan, u, c, io->kv, io->added);
    sdw_plan_bind(slot->plan, io->timestep, (void *)timesteps);
    size_t hw = (size_t)h * (size_t)w;
    image_call call = { .slot = slot, .bound_in = io->sample, .bound_out = io->out, .n = c->rows, .in_channels = u->config.in_channels,
                        .out_channels = u->config.out_channels, .in_hw = hw, .out_hw = hw, .in = sample, .out = out };
    return run_image(p, &call, err);
}

static sdw_status run_vae(sdw_pipeline *p, sdw_plan_kind kind, int h, int w, const float *in, float *out, sdw_error *err)
{
    sdw_plan_key key = { .kind = kind, .rows = 1, .h = h, .w = w };
    sdw_plan_slot *slot;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, SDW_PART_VAE, err);
    if (status != SDW_OK) return status;
    size_t factor = (size_t)p->shape.vae_factor, small = (size_t)h * (size_t)w, large = small * factor * factor;
    bool decode = kind == SDW_PLAN_DECODE;
    image_call call = { .slot = slot, .bound_in = slot->io.vae.in, .bound_out = slot->io.vae.out, .n = 1,
                        .in_channels = decode ? p->shape.latent_channels : 3, .out_channels = decode ? 3 : 2 * p->shape.latent_channels,
                        .in_hw = decode ? small : large, .out_hw = decode ? large : small, .in = in, .out = out };
    return run_image(p, &call, err);
}

sdw_status sdw_pipeline_vae_decode(sdw_pipeline *p, int h, int w, const float *latent, float *picture, sdw_error *err)
{
    return run_vae(p, SDW_PLAN_DECODE, h, w, latent, picture, err);
}

sdw_status sdw_pipeline_vae_encode(sdw_pipeline *p, int h, int w, const float *picture, float *moments, sdw_error *err)
{
    return run_vae(p, SDW_PLAN_ENCODE, h, w, picture, moments, err);
}

/* ---- estimate ---- */

static sdw_status cost_of(sdw_pipeline *p, sdw_plan_key key, uint64_t *ret_pool, double *ret_flop, sdw_error *err)
{
    sdw_plan_size size;
    sdw_status status = sdw_pipeline_plan_size(p, &key, &size, err);
    if (status != SDW_OK) return status;
    if (size.pool_bytes > *ret_pool) *ret_pool = size.pool_bytes;
    *ret_flop += size.flop;
    return SDW_OK;
}

sdw_status sdw_pipeline_estimate(sdw_pipeline *p, int rows, int tokens, int h, int w, sdw_pipeline_cost *ret, sdw_error *err)
{
    sdw_pipeline_cost c = { .condition_bytes = sdw_condition_bytes(&p->unet, rows, tokens) };
    uint64_t condition_pool = 0;
    for (int id = 0; id < SDW_PART_COUNT; id++)
        for (size_t i = 0; i < p->part[id].count; i++) c.packed[id] += p->backend->api->packed_bytes(p->backend, p->part[id].weights[i]);
    sdw_status status = SDW_OK;
    for (int i = 0; i < p->shape.text_encoders && status == SDW_OK; i++)
        status = cost_of(p, (sdw_plan_key){ .kind = SDW_PLAN_TEXT, .rows = rows * (tokens / 77), .tokens = 77, .encoder = i, .outputs = 9 }, &c.text_pool, &c.text_flop, err);
    if (status == SDW_OK) status = cost_of(p, (sdw_plan_key){ .kind = SDW_PLAN_CONDITION, .rows = rows, .tokens = tokens }, &condition_pool, &c.condition_flop, err);
    if (status == SDW_OK) status = cost_of(p, (sdw_plan_key){ .kind = SDW_PLAN_STEP, .rows = rows, .tokens = tokens, .h = h, .w = w }, &c.unet_pool, &c.unet_flop, err);
    if (status == SDW_OK) status = cost_of(p, (sdw_plan_key){ .kind = SDW_PLAN_DECODE, .rows = 1, .h = h, .w = w }, &c.decode_pool, &c.decode_flop, err);
    if (status == SDW_OK) status = cost_of(p, (sdw_plan_key){ .kind = SDW_PLAN_ENCODE, .rows = 1, .h = h, .w = w }, &c.encode_pool, &c.encode_flop, err);
    if (condition_pool > c.unet_pool) c.unet_pool = condition_pool;
    if (status == SDW_OK) *ret = c;
    return status;
}
