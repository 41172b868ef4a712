/* pipeline.c - opening a model, its parts' weights, its plans and its pool. */
#include "engine/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "engine/pipeline_impl.h"

/* ---- opening ---- */

static sdw_status open_clip(sdw_pipeline *p, int index, sdw_binder *b, sdw_error *err)
{
    sdw_part_id id = index ? SDW_PART_TEXT_ENCODER_2 : SDW_PART_TEXT_ENCODER;
    sdw_clip_config config;
    sdw_status status = sdw_clip_config_parse(p->files->part[id].config, index ? "text_encoder_2/config.json" : "text_encoder/config.json", &config, err);
    if (status != SDW_OK) return status;
    sdw_clip_walk(b, &config, &p->clip[index]);
    p->shape.text_encoders = index + 1;
    p->shape.text_width[index] = config.width;
    p->shape.text_layers[index] = config.layers;
    p->shape.projection_width[index] = config.projection;
    return SDW_OK;
}

static sdw_status open_unet(sdw_pipeline *p, sdw_binder *b, sdw_error *err)
{
    sdw_unet_config config;
    sdw_status status = sdw_unet_config_parse(p->files->part[SDW_PART_UNET].config, "unet/config.json", &config, err);
    if (status != SDW_OK) return status;
    sdw_unet_walk(b, &config, &p->unet);
    p->shape.context_width = config.context_width;
    p->shape.unet_in_channels = config.in_channels;
    p->shape.sample_size = config.sample_size;
    p->shape.pooled_width = sdw_unet_pooled_width(&config);
    p->shape.time_ids = config.added_time_width ? 6 : 0;
    return SDW_OK;
}

static sdw_status open_vae(sdw_pipeline *p, sdw_binder *b, sdw_error *err)
{
    sdw_vae_config config;
    sdw_status status = sdw_vae_config_parse(p->files->part[SDW_PART_VAE].config, "vae/config.json", &config, err);
    if (status != SDW_OK) return status;
    sdw_vae_walk(b, &config, &p->vae);
    p->shape.latent_channels = config.latent_channels;
    p->shape.scaling_factor = config.scaling_factor;
    p->shape.shift_factor = config.shift_factor;
    p->shape.vae_factor = sdw_vae_factor(&config);
    return SDW_OK;
}

static sdw_status open_part(sdw_pipeline *p, sdw_part_id id, sdw_error *err)
{
    const sdw_part_files *f = &p->files->part[id];
    if (!f->present) return SDW_OK;
    sdw_binder b = { .arena = &p->arena, .part = f->name, .weights = f->weights };
    sdw_status status = id == SDW_PART_UNET  ? open_unet(p, &b, err)
                        : id == SDW_PART_VAE ? open_vae(p, &b, err)
                                             : open_clip(p, id == SDW_PART_TEXT_ENCODER_2, &b, err);
    if (status == SDW_OK) status = sdw_binder_finish(&b, err);
    p->part[id] = (sdw_part){ .weights = b.list, .count = (size_t)b.count };
    return status;
}

/* The parts must belong together: what one puts out, the next one reads. */
static sdw_status check_shape(const sdw_pipeline *p, sdw_error *err)
{
    const sdw_pipeline_shape *s = &p->shape;
    const char *path = p->files->path;
    if (!p->files->part[SDW_PART_UNET].present) return sdw_fail(err, SDW_FORMAT, "%s: no unet", path);
    if (!p->files->part[SDW_PART_VAE].present) return sdw_fail(err, SDW_FORMAT, "%s: no vae", path);
    if (!p->files->part[SDW_PART_TEXT_ENCODER].present) return sdw_fail(err, SDW_FORMAT, "%s: no text_encoder", path);
    int width = s->text_width[0] + s->text_width[1];
    if (width != s->context_width)
        return sdw_fail(err, SDW_FORMAT, "%s: the text encoders give %d values a token, the unet reads %d", path, width, s->context_width);
    if (s->pooled_width && s->projection_width[s->text_encoders - 1] != s->pooled_width)
        return sdw_fail(err, SDW_FORMAT, "%s: the last text encoder projects to %d values, the unet reads %d", path,
                        s->projection_width[s->text_encoders - 1], s->pooled_width);
    int c = s->latent_channels;
    if (s->unet_in_channels != c && s->unet_in_channels != 2 * c + 1)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: the unet has %d input channels; with a vae of %d latent channels %d (plain) or %d (inpainting) are supported",
                        path, s->unet_in_channels, c, c, 2 * c + 1);
    if (p->unet.config.out_channels != c)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: the unet has %d output channels, the vae %d latent channels", path, p->unet.config.out_channels, c);
    return SDW_OK;
}

static sdw_status open_tokenizers(sdw_pipeline *p, sdw_error *err)
{
    for (int i = 0; i < p->shape.text_encoders; i++) {
        const char *dir = p->files->tokenizer_dir[i];
        sdw_status status = dir ? sdw_clip_bpe_open_dir(dir, &p->tokenizer[i], err)
                                : sdw_clip_bpe_open_builtin(p->files->family->pad_id[i], &p->tokenizer[i], err);
        if (status != SDW_OK) return status;
        if (sdw_clip_bpe_length(p->tokenizer[i]) != SDW_CLIP_LENGTH)
            return sdw_fail(err, SDW_UNSUPPORTED, "%s: tokenizer %d makes chunks of %d tokens, want %d", p->files->path, i + 1,
                            sdw_clip_bpe_length(p->tokenizer[i]), SDW_CLIP_LENGTH);
        if (sdw_clip_bpe_max_id(p->tokenizer[i]) >= p->clip[i].config.vocabulary)
            return sdw_fail(err, SDW_FORMAT, "%s: the tokenizer has ids up to %d, text encoder %d knows %d tokens", p->files->path,
                            sdw_clip_bpe_max_id(p->tokenizer[i]), i + 1, p->clip[i].config.vocabulary);
    }
    return SDW_OK;
}

static sdw_status open_scheduler(sdw_pipeline *p, const char *prediction, sdw_warnings *warnings, sdw_error *err)
{
    sdw_status status = sdw_scheduler_config_read(p->files->scheduler, "scheduler/scheduler_config.json", &p->scheduler, err);
    if (status != SDW_OK) return status;
    if (p->files->family->mends_scheduler) {
        p->scheduler.has_steps_offset = true;
        p->scheduler.steps_offset = 1;
        p->scheduler.clip_sample = SDW_MAYBE_FALSE;
    }
    if (prediction) return sdw_prediction_parse(prediction, &p->scheduler.prediction, err);
    if (p->files->prediction_is_a_guess)
        sdw_warn(warnings, "%s: the file does not say whether this SD 2.x model predicts v or epsilon; v is assumed, --prediction epsilon for the other",
                 p->files->path);
    return SDW_OK;
}

static sdw_status open_model(sdw_pipeline *p, const sdw_pipeline_options *o, sdw_warnings *warnings, sdw_error *err)
{
    sdw_model_files_options fo = { .config_dir = o->config_dir, .variant = o->variant };
    sdw_status status = sdw_model_files_open(o->model, &fo, &p->files, warnings, err);
    for (int id = 0; id < SDW_PART_COUNT && status == SDW_OK; id++) status = open_part(p, (sdw_part_id)id, err);
    if (status == SDW_OK) status = check_shape(p, err);
    if (status == SDW_OK) status = open_tokenizers(p, err);
    if (status == SDW_OK) status = open_scheduler(p, o->prediction, warnings, err);
    if (status == SDW_OK) sdw_model_files_warn_unused(p->files, warnings);
    return status;
}

sdw_status sdw_pipeline_open(const sdw_pipeline_options *o, sdw_pipeline **ret, sdw_warnings *warnings, sdw_error *err)
{
    sdw_pipeline *p = sdw_calloc(1, sizeof *p);
    if (!p) return sdw_fail_memory(err, "pipeline", sizeof *p);
    atomic_init(&p->cancel, false);
    pthread_mutex_init(&p->size_mutex, NULL);
    sdw_backend_options bo = { .threads = o->threads, .isa = o->isa, .precision = o->precision };
    sdw_status status = sdw_backend_cpu.open(&bo, &p->backend, err);
    if (status == SDW_OK) status = open_model(p, o, warnings, err);
    if (status != SDW_OK) {
        sdw_pipeline_close(p);
        return status;
    }
    *ret = p;
    return SDW_OK;
}

void sdw_pipeline_close(sdw_pipeline *p)
{
    if (!p) return;
    for (int i = 0; i < SDW_PLAN_SLOTS; i++) sdw_plan_free(p->slot[i].plan);
    for (int id = 0; id < SDW_PART_COUNT; id++) sdw_pipeline_unload(p, (sdw_part_id)id);
    sdw_pipeline_drop_pool(p);
    for (int i = 0; i < 2; i++) sdw_clip_bpe_close(p->tokenizer[i]);
    sdw_scheduler_config_finish(&p->scheduler);
    sdw_model_files_close(p->files);
    if (p->backend) p->backend->api->close(p->backend);
    sdw_arena_finish(&p->arena);
    pthread_mutex_destroy(&p->size_mutex);
    sdw_free(p);
}

const sdw_model_files *sdw_pipeline_files(const sdw_pipeline *p)
{
    return p->files;
}

const sdw_scheduler_config *sdw_pipeline_scheduler(const sdw_pipeline *p)
{
    return &p->scheduler;
}

sdw_backend *sdw_pipeline_backend(sdw_pipeline *p)
{
    return p->backend;
}

const sdw_clip_bpe *sdw_pipeline_tokenizer(const sdw_pipeline *p, int index)
{
    return p->tokenizer[index];
}

atomic_bool *sdw_pipeline_cancel_flag(sdw_pipeline *p)
{
    return &p->cancel;
}

const sdw_pipeline_shape *sdw_pipeline_shape_of(const sdw_pipeline *p)
{
    return &p->shape;
}

/* ---- weights ---- */

typedef struct packing {
    sdw_pipeline_packed *packed;
    void *ctx;
    int done, total;
} packing;

static void after_pack(void *ctx, sdw_weight *w)
{
    packing *k = ctx;
    for (int i = 0; i < w->source_count; i++) {
        const sdw_weight_source *s = &w->source[i];
        size_t bytes = (size_t)(s->rows * w->in * w->k * w->k) * sdw_dtype_size(s->dtype);
        sdw_file_tensor_release(&(sdw_file_tensor){ .data = s->data, .bytes = bytes });
    }
    k->done++;
    if (k->packed) k->packed(k->ctx, k->done, k->total);
}

/* In portions: between two of them a caller that wants to stop is heard. */
static sdw_status pack_part(sdw_pipeline *p, sdw_part *t, packing *k, sdw_error *err)
{
    enum { PORTION = 32 };
    sdw_status status = SDW_OK;
    for (size_t at = 0; at < t->count && status == SDW_OK; at += PORTION) {
        if (atomic_load(&p->cancel)) return sdw_fail(err, SDW_CANCELLED, "cancelled");
        size_t n = t->count - at < PORTION ? t->count - at : PORTION;
        status = p->backend->api->pack(p->backend, t->weights + at, n, after_pack, k, err);
    }
    return status;
}

static sdw_status need(sdw_pipeline *p, sdw_part_id part, packing *k, sdw_error *err)
{
    sdw_part *t = &p->part[part];
    if (t->packed) {
        k->done += (int)t->count;
        return SDW_OK;
    }
    sdw_status status = pack_part(p, t, k, err);
    if (status != SDW_OK) sdw_pipeline_unload(p, part);
    else t->packed = true;
    return status;
}

sdw_status sdw_pipeline_need(sdw_pipeline *p, sdw_part_id part, sdw_error *err)
{
    return need(p, part, &(packing){ 0 }, err);
}

sdw_status sdw_pipeline_load(sdw_pipeline *p, sdw_pipeline_packed *packed, void *ctx, sdw_error *err)
{
    packing k = { .packed = packed, .ctx = ctx };
    sdw_status status = SDW_OK;
    for (int id = 0; id < SDW_PART_COUNT; id++) k.total += (int)p->part[id].count;
    for (int id = 0; id < SDW_PART_COUNT && status == SDW_OK; id++)
        if (p->files->part[id].present) status = need(p, (sdw_part_id)id, &k, err);
    return status;
}

uint64_t sdw_pipeline_held(const sdw_pipeline *p)
{
    uint64_t bytes = p->pool_bytes + p->away_bytes + p->condition_bytes;
    for (int id = 0; id < SDW_PART_COUNT; id++)
        for (size_t i = 0; i < p->part[id].count; i++) bytes += p->part[id].weights[i]->packed_bytes;
    return bytes;
}

void sdw_pipeline_unload(sdw_pipeline *p, sdw_part_id part)
{
    sdw_part *t = &p->part[part];
    for (size_t i = 0; i < t->count; i++)
        if (t->weights[i]->packed) p->backend->api->unpack(p->backend, t->weights[i]);
    t->packed = false;
}

/* ---- plans ---- */

static void record(sdw_pipeline *p, const sdw_plan_key *k, sdw_graph *g, sdw_plan_slot *slot)
{
    switch (k->kind) {
    case SDW_PLAN_TEXT: {
        sdw_clip_wants wants = { .rows = k->rows, .tokens = k->tokens, .layer = k->layer, .final_norm = k->outputs & 8, .hidden = k->outputs & 1,
                                 .pooled = k->outputs & 2, .projected = k->outputs & 4 };
        sdw_clip_record(g, &p->clip[k->encoder], &wants, &slot->io.text);
        break;
    }
    case SDW_PLAN_CONDITION: sdw_unet_record_condition(g, &p->unet, k->rows, k->tokens, &slot->io.condition); break;
    case SDW_PLAN_STEP: sdw_unet_record_step(g, &p->unet, k->rows, k->tokens, k->h, k->w, &slot->io.step); break;
    case SDW_PLAN_DECODE: sdw_vae_record_decode(g, &p->vae, &sdw_bands_usual, k->h, k->w, &slot->io.vae); break;
    case SDW_PLAN_ENCODE: sdw_vae_record_encode(g, &p->vae, &sdw_bands_usual, k->h, k->w, &slot->io.vae); break;
    case SDW_PLAN_NONE: break;
    }
}

static bool same_key(const sdw_plan_key *a, const sdw_plan_key *b)
{
    return a->kind == b->kind && a->rows == b->rows && a->tokens == b->tokens && a->h == b->h && a->w == b->w && a->encoder == b->encoder &&
           a->layer == b->layer && a->outputs == b->outputs;
}

static sdw_status plan_for(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_slot *ret, sdw_error *err)
{
    sdw_plan_slot fresh = { .key = *key };
    sdw_graph *g = sdw_graph_create(err);
    if (!g) return SDW_NO_MEMORY;
    record(p, key, g, &fresh);
    sdw_status status = sdw_plan_create(g, p->backend, &fresh.plan, err);
    if (status == SDW_OK) *ret = fresh;
    return status;
}

sdw_status sdw_pipeline_plan(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_slot **ret, sdw_error *err)
{
    sdw_plan_slot *oldest = NULL;
    for (int i = 0; i < SDW_PLAN_SLOTS; i++) {
        sdw_plan_slot *s = &p->slot[i];
        if (s->plan && same_key(&s->key, key)) {
            s->last_use = ++p->use_clock;
            *ret = s;
            return SDW_OK;
        }
        if (!s->pins && (!oldest || s->last_use < oldest->last_use)) oldest = s;
    }
    sdw_plan_slot fresh;
    if (!oldest) return sdw_fail(err, SDW_INTERNAL, "plans: %d runs are unfinished, none can make room", SDW_PLAN_SLOTS);
    sdw_status status = plan_for(p, key, &fresh, err);
    if (status != SDW_OK) return status;
    sdw_plan_free(oldest->plan);
    *oldest = fresh;
    oldest->last_use = ++p->use_clock;
    *ret = oldest;
    return SDW_OK;
}

static bool known_size(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_size *ret)
{
    bool found = false;
    pthread_mutex_lock(&p->size_mutex);
    for (int i = 0; i < p->size_count && !found; i++) {
        found = same_key(&p->size[i].key, key);
        if (found) *ret = p->size[i];
    }
    pthread_mutex_unlock(&p->size_mutex);
    return found;
}

sdw_status sdw_pipeline_plan_size(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_size *ret, sdw_error *err)
{
    sdw_plan_slot slot;
    if (known_size(p, key, ret)) return SDW_OK;
    sdw_status status = plan_for(p, key, &slot, err);
    if (status != SDW_OK) return status;
    *ret = (sdw_plan_size){ .key = *key, .pool_bytes = slot.plan->pool_bytes, .flop = slot.plan->flop };
    sdw_plan_free(slot.plan);
    pthread_mutex_lock(&p->size_mutex);
    p->size[p->size_next] = *ret;
    p->size_next = (p->size_next + 1) % SDW_PLAN_SIZES;
    if (p->size_count < SDW_PLAN_SIZES) p->size_count++;
    pthread_mutex_unlock(&p->size_mutex);
    return SDW_OK;
}

void sdw_pipeline_drop_pool(sdw_pipeline *p)
{
    if (p->pool) p->backend->api->free(p->backend, p->pool);
    p->pool = NULL;
    p->pool_bytes = 0;
}

uint64_t sdw_pipeline_pool_bytes(const sdw_pipeline *p)
{
    return p->pool_bytes;
}

static sdw_status grow_pool(sdw_pipeline *p, size_t bytes, sdw_error *err)
{
    if (bytes <= p->pool_bytes) return SDW_OK;
    sdw_pipeline_drop_pool(p);
    sdw_status status = p->backend->api->alloc(p->backend, bytes, &p->pool, err);
    if (status == SDW_OK) p->pool_bytes = bytes;
    return status;
}

sdw_status sdw_pipeline_run(sdw_pipeline *p, sdw_plan_slot *slot, sdw_error *err)
{
    sdw_status status = grow_pool(p, slot->plan->pool_bytes, err);
    if (status != SDW_OK) return status;
    return sdw_plan_run(slot->plan, p->backend, p->pool, &p->cancel, err);
}
