/* resolve.c - from what a person gave to what will run: defaults of the model, canonical names, sizes, and the rules
 * between fields. Nothing here computes a picture; every refusal names its field. */
#include <math.h>
#include <string.h>

#include "diffusion/sampling.h"
#include "core/limits.h"
#include "core/rng.h"
#include "engine/engine_impl.h"
#include "engine/resolve.h"
#include "sdw/fields.h"
#include "engine/options.h"
#include "image/geometry.h"

static bool inpaints(const sdw_engine *e)
{
    return e->info.inpaint;
}

/* ---- rules between fields ---- */

static sdw_status check_pictures(const sdw_engine *e, const sdw_params *p, sdw_error *err)
{
    if (p->mask && !p->init_image)
        return sdw_fail_field(err, SDW_INVALID, "mask", "mask given without init_image: there is no picture to repaint");
    if (inpaints(e) && (!p->init_image || !p->mask))
        return sdw_fail_field(err, SDW_INVALID, p->init_image ? "mask" : "init_image", "%s is an inpainting model: it needs init_image and mask, %s is missing",
                              e->info.path, p->init_image ? "mask" : "init_image");
    if (p->mask && sdw_aspect_differs(p->init_image->width, p->init_image->height, p->mask->width, p->mask->height))
        return sdw_fail_field(err, SDW_INVALID, "mask", "mask is %d x %d, its aspect differs by more than 1 %% from init_image's %d x %d", p->mask->width,
                              p->mask->height, p->init_image->width, p->init_image->height);
    return SDW_OK;
}

/* A resolved request holds only what takes effect, so resolving it again warns of nothing. */
static void warn_of_unused(sdw_warnings *w, const sdw_params *given, const sdw_params *r)
{
    if (given->negative_prompt && given->negative_prompt[0] && r->guidance <= 1.0)
        sdw_warn(w, "negative_prompt has no effect: guidance is %g, it works above 1", r->guidance);
    if (!isnan(given->strength) && !given->init_image) sdw_warn(w, "strength has no effect without init_image");
    if (!given->mask && (given->invert_mask > 0 || given->mask_blur > 0 || given->inpaint_full_res > 0))
        sdw_warn(w, "invert_mask, mask_blur and inpaint_full_res have no effect without mask");
}

/* ---- defaults ---- */

static double real_or(double given, double fallback)
{
    return isnan(given) ? fallback : given;
}

static double default_strength(const sdw_engine *e, const sdw_params *p)
{
    const sdw_family_defaults *d = &sdw_pipeline_files(e->pipeline)->family->defaults;
    return p->mask ? d->inpaint_strength : d->img2img_strength;
}

static void fill_defaults(const sdw_engine *e, const sdw_params *p, sdw_params *r)
{
    *r = *p;
    if (!p->steps) r->steps = e->info.default_steps;
    if (!p->count) r->count = 1;
    r->guidance = real_or(p->guidance, e->info.default_guidance);
    r->guidance_rescale = real_or(p->guidance_rescale, 0.0);
    r->strength = p->init_image ? real_or(p->strength, default_strength(e, p)) : NAN;
    if (r->guidance <= 1.0) r->negative_prompt = NULL; /* what has no effect is no part of the resolved request */
    r->mask_blur = p->mask ? real_or(p->mask_blur, 0.0) : 0.0;
    r->prompt_syntax = p->prompt_syntax ? p->prompt_syntax : "plain";
    r->rng = p->rng ? p->rng : "torch-cpu";
    r->rng_batch = p->rng_batch ? p->rng_batch : "per-picture";
    r->resize = p->resize ? p->resize : "stretch";
    r->truncate = p->truncate > 0;
    r->invert_mask = p->mask && p->invert_mask > 0;
    r->inpaint_full_res = p->mask && p->inpaint_full_res > 0;
    r->inpaint_full_res_padding = p->inpaint_full_res_padding < 0 ? 32 : p->inpaint_full_res_padding;
    r->paste_back = p->mask && p->paste_back != 0;
}

static sdw_status check_side(const char *field, int value, const char *origin, sdw_error *err)
{
    if (value >= SDW_LIMIT_SIZE_MIN && value <= SDW_LIMIT_SIZE_MAX) return SDW_OK;
    return sdw_fail_field(err, SDW_INVALID, field, "%s would be %d from the size of %s, want %d..%d: give width and height", field, value, origin,
                          SDW_LIMIT_SIZE_MIN, SDW_LIMIT_SIZE_MAX);
}

/* A picture to start from decides the size, except where only a part of it is worked on. */
static sdw_status decide_size(const sdw_engine *e, const sdw_params *p, sdw_params *r, sdw_error *err)
{
    const char *origin = "the model's training";
    if (p->init_image && !r->inpaint_full_res) {
        sdw_fit_size(p->init_image->width, p->init_image->height, p->width, p->height, &r->width, &r->height);
        origin = "init_image";
    } else {
        if (!p->width) r->width = e->info.default_width;
        if (!p->height) r->height = e->info.default_height;
    }
    sdw_status status = check_side("width", r->width, origin, err);
    if (status == SDW_OK) status = check_side("height", r->height, origin, err);
    int factor = sdw_pipeline_shape_of(e->pipeline)->vae_factor;
    if (status == SDW_OK && (r->width % factor || r->height % factor))
        status = sdw_fail_field(err, SDW_INVALID, r->width % factor ? "width" : "height", "%d x %d: want multiples of %d", r->width, r->height, factor);
    return status;
}

static sdw_status draw_seed(const sdw_params *p, sdw_params *r, sdw_error *err)
{
    if (p->has_seed) return SDW_OK;
    sdw_status status = sdw_rng_random_seed(&r->seed, err);
    if (status == SDW_OK) r->has_seed = 1;
    return status;
}

/* The sampling code owns the names and which of them go together: making one checks them. */
static sdw_status name_sampler(const sdw_engine *e, sdw_params *r, sdw_error *err)
{
    sdw_sampling_options o;
    sdw_sampling *s;
    sdw_status status = sdw_sampling_options_of(r, false, 1, &o, err);
    if (status == SDW_OK) status = sdw_sampling_create(sdw_pipeline_scheduler(e->pipeline), &o, &s, err);
    if (status != SDW_OK) return status;
    r->sampler = sdw_sampling_sampler(s);
    r->schedule = sdw_sampling_schedule(s);
    sdw_sampling_free(s);
    return SDW_OK;
}

sdw_status sdw_params_resolve_with(const sdw_engine *e, const sdw_params *p, sdw_params *ret, sdw_warnings *warnings, sdw_error *err)
{
    sdw_params r;
    if (!p->prompt) return sdw_fail_field(err, SDW_INVALID, "prompt", "prompt is missing, want a text (it may be empty)");
    sdw_status status = sdw_params_check_fields(p, err);
    if (status == SDW_OK) status = check_pictures(e, p, err);
    if (status != SDW_OK) return status;
    fill_defaults(e, p, &r);
    status = decide_size(e, p, &r, err);
    if (status == SDW_OK) status = name_sampler(e, &r, err);
    if (status == SDW_OK) status = draw_seed(p, &r, err);
    if (status != SDW_OK) return status;
    warn_of_unused(warnings, p, &r);
    *ret = r;
    return SDW_OK;
}

sdw_status sdw_params_resolve(sdw_engine *e, const sdw_params *p, sdw_params *ret, sdw_error *err)
{
    sdw_warnings warnings = { 0 };
    sdw_status status = sdw_params_resolve_with(e, p, ret, &warnings, err);
    sdw_engine_warn_all(e, &warnings);
    return status;
}
