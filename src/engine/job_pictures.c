/* job_pictures.c - the VAE's part of a job: pictures into latents before the steps, latents into pictures after them, in
 * slices if the driver wants it. */
#include <math.h>

#include "core/mem.h"
#include "engine/job_impl.h"

static int slices(const sdw_job *j)
{
    return j->hooks.slices ? j->hooks.slices : SDW_VAE_SLICES;
}

/* Some slices of the run that j->vae is, begun here if there is none; out is filled when it is done. */
static sdw_status run_vae(sdw_job *j, bool decode, const float *in, float *out, bool *ret_done, sdw_error *err)
{
    bool done = false;
    sdw_status status = SDW_OK;
    if (!j->vae) status = sdw_vae_run_begin(j->engine->pipeline, decode, j->h, j->w, in, &j->vae, err);
    if (status == SDW_OK) status = sdw_vae_run_go(j->vae, slices(j), &done, err);
    if (status == SDW_OK && done) sdw_vae_run_read(j->vae, out);
    if (done || status != SDW_OK) {
        sdw_vae_run_end(j->vae);
        j->vae = NULL;
    }
    *ret_done = done;
    return status;
}

sdw_status sdw_job_encode_pictures(sdw_job *j, bool *ret_done, sdw_error *err)
{
    int wanted = (j->moments ? 1 : 0) + (j->masked_moments ? 1 : 0);
    bool done = false;
    sdw_status status = SDW_OK;
    if (j->encoded < wanted) {
        bool masked = j->encoded == 1 || !j->moments;
        status = run_vae(j, false, masked ? j->inputs.masked : j->inputs.picture, masked ? j->masked_moments : j->moments, &done, err);
        if (done) j->encoded++;
    }
    *ret_done = j->encoded == wanted;
    return status;
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

/* What the VAE is to see of lane l: its latents, or where the steps ended early the estimate of the clean ones. */
static void unscale(const sdw_job *j, const sdw_lane *l, bool estimate, float *ret)
{
    const float *z = estimate ? sdw_sampling_estimate(l->sampling) : sdw_sampling_state(l->sampling);
    float shift = (float)j->shape->shift_factor, scale = (float)j->shape->scaling_factor;
    for (size_t i = 0; i < j->elements; i++) ret[i] = z[i] / scale + shift;
}

/* (3, height, width) around [-1, 1] to (height, width, 3) in 0..1. */
static sdw_status to_values(const sdw_job *j, const float *planes, float *values, sdw_error *err)
{
    size_t n = (size_t)j->params.width * (size_t)j->params.height;
    for (size_t i = 0; i < 3 * n; i++) {
        float v = planes[i % 3 * n + i / 3];
        if (!isfinite(v)) return sdw_fail(err, SDW_NUMERIC, "vae decode: picture %d has values that are not finite", j->first + j->turn + 1);
        v = v / 2.0f + 0.5f;
        values[i] = v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    }
    return SDW_OK;
}

sdw_status sdw_job_decode(sdw_job *j, bool *ret_done, sdw_error *err)
{
    const sdw_lane *l = &j->lanes[j->turn];
    float *values = j->decoded + 3 * (size_t)j->params.width * (size_t)j->params.height;
    if (!j->vae) unscale(j, l, j->early && !sdw_lane_finished(l), j->input);
    sdw_status status = run_vae(j, true, j->input, j->decoded, ret_done, err);
    if (status != SDW_OK || !*ret_done) return status;
    status = to_values(j, j->decoded, values, err);
    if (status != SDW_OK) return status;
    if (j->hooks.decoded) j->hooks.decoded(j->hooks.ctx, j->first + j->turn, values, j->params.width, j->params.height);
    return store(j, j->first + j->turn, values, err);
}

/* ---- a look at the unfinished picture ---- */

sdw_status sdw_job_look_begin(sdw_job *j, sdw_error *err)
{
    sdw_job_look_end(j);
    unscale(j, &j->lanes[0], true, j->input);
    return sdw_vae_run_begin(j->engine->pipeline, true, j->h, j->w, j->input, &j->look, err);
}

sdw_status sdw_job_look_go(sdw_job *j, int count, bool *ret_done, sdw_picture *ret, sdw_error *err)
{
    size_t n = (size_t)j->params.width * (size_t)j->params.height;
    if (!j->look) return sdw_fail(err, SDW_INTERNAL, "job: a preview goes on that was not begun");
    sdw_status status = sdw_vae_run_go(j->look, count, ret_done, err);
    if (status != SDW_OK || !*ret_done) return status;
    sdw_picture p = { j->params.width, j->params.height, 3, sdw_malloc(3 * n) };
    if (!p.pixels) return sdw_fail_memory(err, "preview", 3 * n);
    sdw_vae_run_read(j->look, j->decoded);
    sdw_job_look_end(j);
    for (size_t i = 0; i < 3 * n; i++) {
        float v = 127.5f * j->decoded[i % 3 * n + i / 3] + 127.5f;
        p.pixels[i] = (uint8_t)(!(v > 0.0f) ? 0 : v > 255.0f ? 255 : lrintf(v)); /* NaN is black here: the job itself will tell */
    }
    *ret = p;
    return SDW_OK;
}

void sdw_job_look_end(sdw_job *j)
{
    sdw_vae_run_end(j->look);
    j->look = NULL;
}
