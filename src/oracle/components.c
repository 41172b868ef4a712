/* components.c - text encoders, UNet and VAE one by one. Their references are float64 results. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "oracle/replay.h"
#include "text/prompt.h"

enum { TEXTS = 4, CASES = 16 }; /* texts per encoder; sizes per component, far above any set */

static sdw_tolerance component(const sdw_replay *r)
{
    return (sdw_tolerance){ SDW_MEASURE_L2, r->component_tolerance };
}

static void failed(sdw_replay *r, const char *name, const sdw_error *err)
{
    sdw_replay_tell(r, SDW_ORACLE_FAILED, name, err->text);
}

/* ---- text encoders ---- */

/* j = 0, 1: prompt and negative prompt 0; 2: prompt 1; 3: empty. */
static const char *text_of(const sdw_replay *r, int j)
{
    return j == 3 ? "" : j == 2 ? sdw_replay_prompt(r, 1, 0) : sdw_replay_prompt(r, 0, j);
}

static void check_ids(sdw_replay *r, const sdw_clip_bpe *tokenizer, const char *name, int j)
{
    sdw_error err = { 0 };
    sdw_prompt_ids ids = { 0 };
    const char *text = text_of(r, j);
    if (!tokenizer || !text) return;
    const sdw_prompt_options options = { .truncate = true };
    if (sdw_prompt_encode(tokenizer, text, &options, &ids, NULL, &err) != SDW_OK) {
        failed(r, name, &err);
        return;
    }
    float values[SDW_CLIP_LENGTH_MAX];
    for (int i = 0; i < ids.length; i++) values[i] = (float)ids.ids[i];
    sdw_replay_compare(r, values, (size_t)ids.length, (sdw_tolerance){ SDW_MEASURE_ABSOLUTE, 0 }, "%s.ids", name);
    sdw_prompt_ids_finish(&ids);
}

/* The encoder pools at the first EOS. */
static int32_t first_eos(const int32_t *ids, size_t count, int32_t eos)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == eos) return (int32_t)i;
    return (int32_t)count - 1;
}

typedef struct text_outputs {
    float *last, *penultimate, *pooled, *projected;
} text_outputs;

static sdw_status run_text(sdw_pipeline *p, int index, const int32_t *ids, int32_t eos, text_outputs *out, sdw_error *err)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(p);
    sdw_text_request q = { .index = index, .rows = 1, .ids = ids, .eos = &eos, .final_norm = true, .hidden = out->last,
                           .pooled = out->pooled, .projected = shape->projection_width[index] ? out->projected : NULL };
    sdw_status s = sdw_pipeline_text(p, &q, err);
    if (s != SDW_OK) return s;
    sdw_text_request before = { .index = index, .rows = 1, .ids = ids, .layer = 1, .hidden = out->penultimate };
    return sdw_pipeline_text(p, &before, err);
}

static void compare_text(sdw_replay *r, int index, const char *name, const sdw_vector *golden_ids)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(r->pipeline);
    size_t width = (size_t)shape->text_width[index], projection = (size_t)shape->projection_width[index];
    int32_t ids[SDW_CLIP_LENGTH_MAX];
    sdw_error err = { 0 };
    if (golden_ids->count != SDW_CLIP_LENGTH) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "ids: want 77 of them");
        return;
    }
    for (size_t i = 0; i < golden_ids->count; i++) ids[i] = (int32_t)golden_ids->values[i];
    const sdw_clip_bpe *tokenizer = sdw_pipeline_tokenizer(r->pipeline, index);
    int32_t eos = first_eos(ids, golden_ids->count, tokenizer ? sdw_clip_bpe_eos(tokenizer) : 49407);
    size_t hidden = golden_ids->count * width;
    float *all = sdw_calloc(2 * hidden + width + projection, sizeof *all);
    text_outputs out = { all, all + hidden, all + 2 * hidden, all + 2 * hidden + width };
    sdw_status s = all ? run_text(r->pipeline, index, ids, eos, &out, &err) : sdw_fail_memory(&err, "text", hidden);
    if (s != SDW_OK) {
        failed(r, name, &err);
    } else {
        sdw_replay_compare(r, out.last, hidden, component(r), "%s.last_hidden_state", name);
        sdw_replay_compare(r, out.penultimate, hidden, component(r), "%s.penultimate", name);
        sdw_replay_compare(r, out.pooled, width, component(r), "%s.pooled", name);
        sdw_replay_compare(r, out.projected, projection, component(r), "%s.text_embeds", name);
    }
    sdw_free(all);
}

static void replay_texts(sdw_replay *r)
{
    static const char *const encoders[] = { "text_encoder", "text_encoder_2" };
    for (int index = 0; index < sdw_pipeline_shape_of(r->pipeline)->text_encoders; index++)
        for (int j = 0; j < TEXTS; j++) {
            char name[40];
            sdw_vector ids;
            snprintf(name, sizeof name, "%s.%d", encoders[index], j);
            if (!sdw_replay_wants(r, "%s.", name) || !sdw_replay_load(r, &ids, "%s.ids", name)) continue;
            check_ids(r, sdw_pipeline_tokenizer(r->pipeline, index), name, j);
            compare_text(r, index, name, &ids);
            sdw_vector_finish(&ids);
        }
}

/* ---- UNet ---- */

typedef struct unet_case {
    sdw_vector sample, timestep, context, text_embeds, time_ids;
} unet_case;

static sdw_status run_unet(sdw_pipeline *p, const unet_case *c, float *out, sdw_error *err)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(p);
    int rows = (int)c->sample.shape[0];
    if (c->sample.rank != 4 || c->context.rank != 3 || (int)c->timestep.count != rows || c->context.shape[0] != rows ||
        c->context.shape[2] != shape->context_width || c->sample.shape[1] != shape->unet_in_channels)
        return sdw_fail(err, SDW_FORMAT, "the inputs do not fit the model");
    if (shape->pooled_width && (int64_t)c->text_embeds.count != (int64_t)rows * shape->pooled_width)
        return sdw_fail(err, SDW_FORMAT, "text_embeds: %zu values, want %d", c->text_embeds.count, rows * shape->pooled_width);
    sdw_condition *condition = NULL;
    const sdw_condition_request q = { .rows = rows, .tokens = (int)c->context.shape[1], .context = c->context.values,
                                      .pooled = c->text_embeds.values, .time_ids = c->time_ids.values };
    sdw_status s = sdw_condition_create(p, &q, &condition, err);
    if (s == SDW_OK)
        s = sdw_pipeline_unet(p, condition, (int)c->sample.shape[2], (int)c->sample.shape[3], c->sample.values,
                              c->timestep.values, out, err);
    sdw_condition_free(p, condition);
    return s;
}

static void replay_unet(sdw_replay *r, int i)
{
    char name[40];
    unet_case c = { 0 };
    sdw_error err = { 0 };
    snprintf(name, sizeof name, "unet.%d", i);
    bool ok = sdw_replay_load(r, &c.sample, "%s.sample", name) && sdw_replay_load(r, &c.timestep, "%s.timestep", name) &&
              sdw_replay_load(r, &c.context, "%s.context", name);
    if (ok && sdw_pipeline_shape_of(r->pipeline)->pooled_width)
        ok = sdw_replay_load(r, &c.text_embeds, "%s.text_embeds", name) && sdw_replay_load(r, &c.time_ids, "%s.time_ids", name);
    size_t rows = ok ? (size_t)c.sample.shape[0] : 0;
    size_t count = ok ? rows * (size_t)sdw_pipeline_shape_of(r->pipeline)->latent_channels * (size_t)(c.sample.shape[2] * c.sample.shape[3]) : 0;
    float *out = ok ? sdw_malloc(count * sizeof *out) : NULL;
    if (!out) sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "an input of it is missing in the file");
    else if (run_unet(r->pipeline, &c, out, &err) != SDW_OK) failed(r, name, &err);
    else sdw_replay_compare(r, out, count, component(r), "%s.out", name);
    sdw_free(out);
    sdw_vector_finish(&c.sample);
    sdw_vector_finish(&c.timestep);
    sdw_vector_finish(&c.context);
    sdw_vector_finish(&c.text_embeds);
    sdw_vector_finish(&c.time_ids);
}

/* ---- VAE ---- */

/* (1, c, h, w) with `scale` pixels per latent cell. */
static void replay_vae(sdw_replay *r, int i, bool decode)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(r->pipeline);
    size_t factor = (size_t)shape->vae_factor;
    char name[40];
    sdw_vector in = { 0 };
    sdw_error err = { 0 };
    snprintf(name, sizeof name, "%s.%d", decode ? "vae_decode" : "vae_encode", i);
    if (!sdw_replay_load(r, &in, "%s.in", name) || in.rank != 4) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "its input is missing in the file");
        sdw_vector_finish(&in);
        return;
    }
    size_t h = (size_t)in.shape[2], w = (size_t)in.shape[3];
    size_t count = decode ? 3 * h * w * factor * factor : 2 * (size_t)shape->latent_channels * (h / factor) * (w / factor);
    float *out = sdw_malloc(count * sizeof *out);
    sdw_status s;
    if (!out) s = sdw_fail_memory(&err, "vae", count * sizeof *out);
    else if (decode) s = sdw_pipeline_vae_decode(r->pipeline, (int)h, (int)w, in.values, out, &err);
    else s = sdw_pipeline_vae_encode(r->pipeline, (int)(h / factor), (int)(w / factor), in.values, out, &err);
    if (s != SDW_OK) failed(r, name, &err);
    else sdw_replay_compare(r, out, count, component(r), decode ? "%s.out" : "%s.moments", name);
    sdw_free(out);
    sdw_vector_finish(&in);
}

void sdw_replay_components(sdw_replay *r)
{
    replay_texts(r);
    for (int i = 0; i < CASES; i++) {
        if (sdw_replay_wants(r, "unet.%d.", i)) replay_unet(r, i);
        if (sdw_replay_wants(r, "vae_decode.%d.", i)) replay_vae(r, i, true);
        if (sdw_replay_wants(r, "vae_encode.%d.", i)) replay_vae(r, i, false);
    }
}
