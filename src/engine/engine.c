/* engine.c - opening a model for the public interface and describing it. */
#include "engine/engine_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/meminfo.h"
#include "engine/batch.h"
#include "diffusion/sampling.h"
#include "engine/pipeline_impl.h"
#include "engine/prompt_cache.h"

void sdw_engine_warn(sdw_engine *e, const char *format, ...)
{
    char text[1024];
    if (!e->warn) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->warn(e->warn_ctx, text);
}

void sdw_engine_warn_all(sdw_engine *e, sdw_warnings *w)
{
    for (size_t i = 0; i < w->count; i++) sdw_engine_warn(e, "%s", w->text[i]);
    if (w->dropped) sdw_engine_warn(e, "%zu further warnings", w->dropped);
    sdw_warnings_finish(w);
}

int sdw_engine_latent_side(const sdw_engine *e, int pixels)
{
    return pixels / sdw_pipeline_shape_of(e->pipeline)->vae_factor;
}

/* ---- description ---- */

static void describe_part(sdw_engine *e, sdw_part_id id)
{
    const sdw_part *part = &e->pipeline->part[id];
    const sdw_part_files *files = &e->pipeline->files->part[id];
    bool seen[SDW_DTYPE_COUNT] = { false };
    sdw_part_info info = { .name = files->name, .dtypes = e->part_dtypes[id] };
    for (size_t i = 0; i < part->count; i++) {
        const sdw_weight *w = part->weights[i];
        info.parameters += (uint64_t)(w->out * w->in * w->k * w->k);
        info.packed_bytes += e->pipeline->backend->api->packed_bytes(e->pipeline->backend, w);
        for (int s = 0; s < w->source_count; s++) {
            info.file_bytes += (uint64_t)(w->source[s].rows * w->in * w->k * w->k) * sdw_dtype_size(w->source[s].dtype);
            seen[w->source[s].dtype] = true;
        }
    }
    char *text = e->part_dtypes[id];
    size_t at = 0, size = sizeof e->part_dtypes[id];
    for (int t = 0; t < SDW_DTYPE_COUNT && at < size; t++)
        if (seen[t]) at += (size_t)snprintf(text + at, size - at, "%s%s", at ? " " : "", sdw_dtype_name((sdw_dtype)t));
    e->part[e->info.part_count++] = info;
}

/* The sampler that the model's own scheduler file asks for, by its canonical name. */
static sdw_status describe_scheduler(sdw_engine *e, sdw_error *err)
{
    sdw_sampling *s;
    sdw_sampling_options o = { .steps = e->info.default_steps, .strength = 1.0, .elements = 1 };
    sdw_status status = sdw_sampling_create(sdw_pipeline_scheduler(e->pipeline), &o, &s, err);
    if (status != SDW_OK) return status;
    const char *schedule = sdw_sampling_schedule(s);
    bool plain = strcmp(schedule, "plain") == 0;
    snprintf(e->scheduler, sizeof e->scheduler, "%s%s%s", sdw_sampling_sampler(s), plain ? "" : " ", plain ? "" : schedule);
    e->info.prediction = sdw_sampling_prediction(s) == SDW_PREDICTION_V ? "v_prediction"
                         : sdw_sampling_prediction(s) == SDW_PREDICTION_SAMPLE ? "sample" : "epsilon";
    sdw_sampling_free(s);
    return SDW_OK;
}

static sdw_status describe(sdw_engine *e, sdw_error *err)
{
    const sdw_model_files *files = sdw_pipeline_files(e->pipeline);
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(e->pipeline);
    int side = shape->sample_size * shape->vae_factor;
    e->info = (sdw_model_info){
        .path = files->path, .family = files->family->name, .family_summary = files->family->summary, .class_name = files->class_name,
        .scheduler = e->scheduler, .backend = e->pipeline->backend->api->describe(e->pipeline->backend), .parts = e->part,
        .precision = e->pipeline->backend->api->precision(e->pipeline->backend),
        .default_width = side, .default_height = side, .default_steps = files->family->defaults.steps,
        .default_guidance = files->family->defaults.guidance, .inpaint = shape->unet_in_channels != shape->latent_channels,
    };
    for (int id = 0; id < SDW_PART_COUNT; id++)
        if (files->part[id].present) describe_part(e, (sdw_part_id)id);
    return describe_scheduler(e, err);
}

/* ---- open and close ---- */

sdw_status sdw_engine_open(const sdw_engine_options *o, sdw_engine **ret_engine, sdw_error *err)
{
    if (!o->model) return sdw_fail_field(err, SDW_INVALID, "model", "no model given, want a diffusers folder or a .safetensors file");
    sdw_engine *e = sdw_calloc(1, sizeof *e);
    if (!e) return sdw_fail_memory(err, "engine", sizeof *e);
    e->warn = o->warn;
    e->warn_ctx = o->warn_ctx;
    e->release_parts = o->release_parts > 0;
    e->memory_limit = o->memory_limit ? o->memory_limit : sdw_memory_total();
    if (!e->memory_limit) e->memory_limit = UINT64_MAX;
    sdw_warnings warnings = { 0 };
    sdw_pipeline_options po = { .model = o->model, .config_dir = o->config_dir, .variant = o->variant, .prediction = o->prediction, .isa = o->isa,
                                .precision = o->precision, .threads = o->threads };
    sdw_status status = sdw_pipeline_open(&po, &e->pipeline, &warnings, err);
    if (status == SDW_OK) status = describe(e, err);
    sdw_engine_warn_all(e, &warnings);
    if (status != SDW_OK) {
        sdw_engine_close(e);
        return status;
    }
    *ret_engine = e;
    return SDW_OK;
}

void sdw_engine_close(sdw_engine *e)
{
    if (!e) return;
    if (e->pipeline) sdw_batch_free(e, e->batch);
    sdw_prompt_cache_free(e->prompts);
    sdw_pipeline_close(e->pipeline);
    sdw_free(e);
}

void sdw_engine_cancel(sdw_engine *e)
{
    atomic_store(sdw_pipeline_cancel_flag(e->pipeline), true);
}

const sdw_model_info *sdw_engine_info(const sdw_engine *e)
{
    return &e->info;
}
