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
    if (!c) return;
    p->condition_bytes -= c->bytes;
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
    c->serial = ++p->condition_serials;
    c->bytes = sdw_condition_bytes(u, rows, tokens);
    p->condition_bytes += c->bytes;
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

/* Rows of part go behind the first `at` rows of c. */
static void append_rows(const sdw_unet *u, sdw_condition *c, const sdw_condition *part, int at)
{
    for (int i = 0; i < u->context_count; i++) {
        size_t row = (size_t)c->tokens * 2 * (size_t)u->context_channels[i];
        memcpy(c->kv + c->kv_offset[i] + (size_t)at * row, part->kv + part->kv_offset[i], (size_t)part->rows * row * sizeof *c->kv);
    }
    size_t width = (size_t)u->config.time_width;
    if (c->added) memcpy(c->added + (size_t)at * width, part->added, (size_t)part->rows * width * sizeof *c->added);
}

sdw_status sdw_condition_join(sdw_pipeline *p, const sdw_condition *const *parts, int count, sdw_condition **ret, sdw_error *err)
{
    sdw_condition *c;
    int rows = 0, at = 0;
    for (int i = 0; i < count; i++) {
        rows += parts[i]->rows;
        if (parts[i]->tokens != parts[0]->tokens)
            return sdw_fail(err, SDW_INTERNAL, "conditions of %d and %d tokens cannot share an evaluation", parts[0]->tokens, parts[i]->tokens);
    }
    sdw_status status = condition_alloc(p, rows, parts[0]->tokens, &c, err);
    if (status != SDW_OK) return status;
    for (int i = 0; i < count; at += parts[i++]->rows) append_rows(&p->unet, c, parts[i], at);
    *ret = c;
    return SDW_OK;
}

int sdw_condition_rows(const sdw_condition *c)
{
    return c->rows;
}

int sdw_condition_tokens(const sdw_condition *c)
{
    return c->tokens;
}

uint64_t sdw_condition_serial(const sdw_condition *c)
{
    return c->serial;
}

/* ---- UNet and VAE ---- */

sdw_status sdw_pipeline_unet(sdw_pipeline *p, const sdw_condition *c, int h, int w, const float *sample, const float *timesteps, float *out, sdw_error *err)
{
    const sdw_unet *u = &p->unet;
    sdw_plan_key key = { .kind = SDW_PLAN_STEP, .rows = c->rows, .tokens = c->tokens, .h = h, .w = w };
    sdw_plan_slot *slot;
    float *in_rows = NULL, *out_rows = NULL;
    size_t hw = (size_t)h * (size_t)w, rows = (size_t)c->rows;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, SDW_PART_UNET, err);
    if (status == SDW_OK) status = host_array(&in_rows, rows * (size_t)u->config.in_channels * hw, "input", err);
    if (status == SDW_OK) status = host_array(&out_rows, rows * (size_t)u->config.out_channels * hw, "output", err);
    if (status == SDW_OK) {
        const sdw_unet_step_io *io = &slot->io.step;
        bind_condition(slot->plan, u, c, io->kv, io->added);
        sdw_plan_bind(slot->plan, io->timestep, (void *)timesteps);
        sdw_plan_bind(slot->plan, io->sample, in_rows);
        sdw_plan_bind(slot->plan, io->out, out_rows);
        sdw_to_rows(sample, in_rows, c->rows, u->config.in_channels, hw);
        status = sdw_pipeline_run(p, slot, err);
    }
    if (status == SDW_OK) sdw_from_rows(out_rows, out, c->rows, u->config.out_channels, hw);
    sdw_free(in_rows);
    sdw_free(out_rows);
    return status;
}

struct sdw_vae_run {
    sdw_pipeline *pipeline;
    sdw_plan_slot *slot;         /* pinned */
    void *pool;
    size_t pool_bytes;
    float *in, *out;             /* in our layout */
    int out_channels, op;        /* op: next to run */
    size_t out_hw;
};

/* The pipeline's pool goes along with an unfinished run; whoever runs meanwhile takes another one. */
static sdw_status take_pool(sdw_vae_run *r, sdw_error *err)
{
    sdw_pipeline *p = r->pipeline;
    size_t bytes = r->slot->plan->pool_bytes;
    if (p->pool_bytes < bytes) {
        sdw_pipeline_drop_pool(p);
        sdw_status status = p->backend->api->alloc(p->backend, bytes, &r->pool, err);
        if (status != SDW_OK) return status;
        r->pool_bytes = bytes;
    } else {
        r->pool = p->pool;
        r->pool_bytes = p->pool_bytes;
        p->pool = NULL;
        p->pool_bytes = 0;
    }
    p->away_bytes += r->pool_bytes;
    return SDW_OK;
}

/* The larger of two pools stays. */
static void give_pool_back(sdw_vae_run *r)
{
    sdw_pipeline *p = r->pipeline;
    if (!r->pool) return;
    p->away_bytes -= r->pool_bytes;
    if (p->pool_bytes >= r->pool_bytes) {
        p->backend->api->free(p->backend, r->pool);
    } else {
        sdw_pipeline_drop_pool(p);
        p->pool = r->pool;
        p->pool_bytes = r->pool_bytes;
    }
    r->pool = NULL;
}

void sdw_vae_run_end(sdw_vae_run *r)
{
    if (!r) return;
    give_pool_back(r);
    r->slot->pins--;
    sdw_free(r->in);
    sdw_free(r->out);
    sdw_free(r);
}

sdw_status sdw_vae_run_begin(sdw_pipeline *p, bool decode, int h, int w, const float *in, sdw_vae_run **ret, sdw_error *err)
{
    sdw_plan_key key = { .kind = decode ? SDW_PLAN_DECODE : SDW_PLAN_ENCODE, .rows = 1, .h = h, .w = w };
    sdw_plan_slot *slot;
    sdw_status status = sdw_pipeline_plan(p, &key, &slot, err);
    if (status == SDW_OK) status = sdw_pipeline_need(p, SDW_PART_VAE, err);
    if (status != SDW_OK) return status;
    sdw_vae_run *r = sdw_calloc(1, sizeof *r);
    if (!r) return sdw_fail_memory(err, "VAE run", sizeof *r);
    size_t factor = (size_t)p->shape.vae_factor, small = (size_t)h * (size_t)w, large = small * factor * factor;
    int in_channels = decode ? p->shape.latent_channels : 3;
    r->pipeline = p;
    r->slot = slot;
    r->out_channels = decode ? 3 : 2 * p->shape.latent_channels;
    r->out_hw = decode ? large : small;
    slot->pins++;
    status = host_array(&r->in, (size_t)in_channels * (decode ? small : large), "input", err);
    if (status == SDW_OK) status = host_array(&r->out, (size_t)r->out_channels * r->out_hw, "output", err);
    if (status == SDW_OK) status = take_pool(r, err);
    if (status != SDW_OK) {
        sdw_vae_run_end(r);
        return status;
    }
    sdw_to_rows(in, r->in, 1, in_channels, decode ? small : large);
    *ret = r;
    return SDW_OK;
}

/* Ops from r->op on that make up `slices` shares of the work; at least one. */
static int ops_of(const sdw_vae_run *r, int slices)
{
    const sdw_graph *g = r->slot->plan->graph;
    double work = 0, want = r->slot->plan->flop / SDW_VAE_SLICES * slices;
    int n = 0;
    while (r->op + n < g->op_count && (n == 0 || work < want)) work += g->ops[r->op + n++]->flop;
    return n;
}

sdw_status sdw_vae_run_go(sdw_vae_run *r, int slices, bool *ret_done, sdw_error *err)
{
    sdw_plan *plan = r->slot->plan;
    sdw_plan_bind(plan, r->slot->io.vae.in, r->in);
    sdw_plan_bind(plan, r->slot->io.vae.out, r->out);
    int n = slices >= SDW_VAE_SLICES ? plan->graph->op_count - r->op : ops_of(r, slices);
    sdw_status status = sdw_plan_run_ops(plan, r->pipeline->backend, r->pool, r->op, n, &r->pipeline->cancel, err);
    if (status != SDW_OK) return status;
    r->op += n;
    *ret_done = r->op == plan->graph->op_count;
    return SDW_OK;
}

void sdw_vae_run_read(const sdw_vae_run *r, float *out)
{
    sdw_from_rows(r->out, out, 1, r->out_channels, r->out_hw);
}

static sdw_status run_vae(sdw_pipeline *p, bool decode, int h, int w, const float *in, float *out, sdw_error *err)
{
    sdw_vae_run *r;
    bool done;
    sdw_status status = sdw_vae_run_begin(p, decode, h, w, in, &r, err);
    if (status != SDW_OK) return status;
    status = sdw_vae_run_go(r, SDW_VAE_SLICES, &done, err);
    if (status == SDW_OK) sdw_vae_run_read(r, out);
    sdw_vae_run_end(r);
    return status;
}

sdw_status sdw_pipeline_vae_decode(sdw_pipeline *p, int h, int w, const float *latent, float *picture, sdw_error *err)
{
    return run_vae(p, true, h, w, latent, picture, err);
}

sdw_status sdw_pipeline_vae_encode(sdw_pipeline *p, int h, int w, const float *picture, float *moments, sdw_error *err)
{
    return run_vae(p, false, h, w, picture, moments, err);
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

sdw_status sdw_pipeline_unit_bytes(sdw_pipeline *p, int rows, int tokens, int h, int w, uint64_t *ret, sdw_error *err)
{
    sdw_pipeline_cost c;
    sdw_status status = sdw_pipeline_estimate(p, rows, tokens, h, w, &c, err);
    if (status != SDW_OK) return status;
    *ret = c.decode_pool;
    if (c.encode_pool > *ret) *ret = c.encode_pool;
    if (c.text_pool + c.condition_bytes > *ret) *ret = c.text_pool + c.condition_bytes;
    return SDW_OK;
}
