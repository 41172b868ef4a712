/* inputs.c - init image and mask. x = u8 / 127.5 - 1; a mask value of 128 and more means repaint; latent cells take the
 * mask of their upper left pixel, as nearest does in the reference. */
#include "engine/inputs.h"

#include <string.h>

#include "core/mem.h"
#include "image/mask.h"

/* The caller's pixels as an image of ours with 3 channels (grey is repeated) or 1. */
static sdw_status copy_picture(const sdw_picture *p, int channels, const char *field, sdw_image **ret, sdw_error *err)
{
    sdw_image *image;
    if (p->width < 1 || p->height < 1 || (p->channels != 1 && p->channels != 3) || !p->pixels)
        return sdw_fail_field(err, SDW_INVALID, field, "%s is %d x %d with %d channels, want pixels with 1 or 3 channels", field, p->width, p->height, p->channels);
    sdw_status status = sdw_image_create(p->width, p->height, channels, &image, err);
    if (status != SDW_OK) return status;
    size_t n = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = p->pixels + i * (size_t)p->channels;
        uint8_t *d = image->pixels + i * (size_t)channels;
        if (channels == 3)
            for (int c = 0; c < 3; c++) d[c] = s[p->channels == 3 ? c : 0];
        else
            d[0] = p->channels == 1 ? s[0] : (uint8_t)((19595u * s[0] + 38470u * s[1] + 7471u * s[2] + 32768u) >> 16);
    }
    *ret = image;
    return SDW_OK;
}

static void replace(sdw_image **image, sdw_image *by)
{
    sdw_image_free(*image);
    *image = by;
}

static sdw_status fit(sdw_image **image, int width, int height, sdw_fit how, sdw_filter filter, sdw_error *err)
{
    sdw_image *fitted;
    sdw_status status = sdw_image_fit(*image, width, height, how, filter, &fitted, err);
    if (status == SDW_OK) replace(image, fitted);
    return status;
}

/* The mask at the size of the picture, inverted and blurred as asked. */
static sdw_status load_mask(const sdw_params *r, sdw_image **ret, sdw_error *err)
{
    sdw_image *raw = NULL, *mask = NULL;
    sdw_status status = copy_picture(r->mask, 1, "mask", &raw, err);
    if (status == SDW_OK) status = sdw_mask_fit(raw, r->init_image->width, r->init_image->height, &mask, err);
    sdw_image_free(raw);
    if (status != SDW_OK) return status;
    if (r->invert_mask) sdw_mask_invert(mask);
    if (r->mask_blur > 0) status = sdw_mask_blur(mask, (float)r->mask_blur, err);
    if (status == SDW_OK) *ret = mask;
    else sdw_image_free(mask);
    return status;
}

/* Cuts the part to repaint out of picture and mask; base keeps the whole picture. */
static sdw_status cut_region(const sdw_params *r, sdw_inputs *in, sdw_image **picture, sdw_image **mask, sdw_error *err)
{
    sdw_image *part = NULL, *part_mask = NULL;
    if (!sdw_mask_region(*mask, r->inpaint_full_res_padding, r->width, r->height, &in->region))
        return sdw_fail_field(err, SDW_INVALID, "mask", "mask is black everywhere: with inpaint_full_res there is nothing to repaint");
    in->full_res = true;
    sdw_status status = sdw_image_clone(*picture, &in->base, err);
    if (status == SDW_OK) status = sdw_image_crop(*picture, in->region, &part, err);
    if (status == SDW_OK) status = sdw_image_crop(*mask, in->region, &part_mask, err);
    if (status != SDW_OK) {
        sdw_image_free(part);
        return status;
    }
    replace(picture, part);
    replace(mask, part_mask);
    return SDW_OK;
}

static sdw_status floats(float **ret, size_t count, const char *what, sdw_error *err)
{
    *ret = sdw_malloc(count * sizeof **ret);
    return *ret ? SDW_OK : sdw_fail_memory(err, what, count * sizeof **ret);
}

/* (height, width, 3) bytes to (3, height, width) values. */
static sdw_status to_values(const sdw_image *image, float **ret, sdw_error *err)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    sdw_status status = floats(ret, 3 * n, "init_image", err);
    for (size_t i = 0; status == SDW_OK && i < n; i++)
        for (size_t c = 0; c < 3; c++) (*ret)[c * n + i] = (float)image->pixels[3 * i + c] / 127.5f - 1.0f;
    return status;
}

static sdw_status to_mask(sdw_inputs *in, const sdw_image *binary, int factor, sdw_error *err)
{
    int h = in->height / factor, w = in->width / factor;
    size_t n = (size_t)in->width * (size_t)in->height;
    sdw_status status = floats(&in->mask, (size_t)h * (size_t)w, "mask", err);
    if (status == SDW_OK) status = floats(&in->masked, 3 * n, "mask", err);
    if (status != SDW_OK) return status;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) in->mask[y * w + x] = binary->pixels[(size_t)y * (size_t)factor * (size_t)in->width + (size_t)x * (size_t)factor] ? 1.0f : 0.0f;
    for (size_t i = 0; i < 3 * n; i++) in->masked[i] = binary->pixels[i % n] ? 0.0f : in->picture[i];
    return SDW_OK;
}

static sdw_status prepare_mask(const sdw_params *r, sdw_inputs *in, sdw_image **picture, sdw_image **mask, sdw_error *err)
{
    sdw_status status = load_mask(r, mask, err);
    if (status == SDW_OK && r->inpaint_full_res) status = cut_region(r, in, picture, mask, err);
    return status;
}

sdw_status sdw_inputs_prepare(const sdw_params *r, int factor, sdw_inputs *ret, sdw_error *err)
{
    sdw_inputs in = { .width = r->width, .height = r->height };
    sdw_image *picture = NULL, *mask = NULL, *binary = NULL;
    sdw_fit how = (sdw_fit)sdw_fit_from_name(r->resize);
    sdw_status status = SDW_OK;
    if (!r->init_image) goto out;
    status = copy_picture(r->init_image, 3, "init_image", &picture, err);
    if (status == SDW_OK && r->mask) status = prepare_mask(r, &in, &picture, &mask, err);
    if (status == SDW_OK) status = fit(&picture, r->width, r->height, in.full_res ? SDW_FIT_STRETCH : how, SDW_FILTER_LANCZOS, err);
    if (status == SDW_OK) status = to_values(picture, &in.picture, err);
    if (status == SDW_OK && mask) {
        status = fit(&mask, r->width, r->height, in.full_res ? SDW_FIT_STRETCH : how, r->mask_blur > 0 ? SDW_FILTER_BILINEAR : SDW_FILTER_NEAREST, err);
        if (status == SDW_OK) status = sdw_image_clone(mask, &binary, err);
        if (status == SDW_OK) {
            sdw_mask_threshold(binary);
            status = to_mask(&in, binary, factor, err);
        }
    }
    if (status == SDW_OK && mask) {
        in.soft = r->mask_blur > 0 ? mask : binary;
        if (in.soft == mask) mask = NULL;
        else binary = NULL;
        if (!in.base) {
            in.base = picture;
            picture = NULL;
        }
    }
out:
    sdw_image_free(picture);
    sdw_image_free(mask);
    sdw_image_free(binary);
    if (status == SDW_OK) *ret = in;
    else sdw_inputs_finish(&in);
    return status;
}

void sdw_inputs_finish(sdw_inputs *in)
{
    sdw_free(in->picture);
    sdw_free(in->masked);
    sdw_free(in->mask);
    sdw_image_free(in->soft);
    sdw_image_free(in->base);
    *in = (sdw_inputs){ 0 };
}

sdw_status sdw_inputs_paste_back(const sdw_inputs *in, const sdw_params *r, sdw_image **image, sdw_error *err)
{
    if (!r->paste_back || !in->base) return SDW_OK;
    sdw_image *result = NULL, *part = NULL, *soft = NULL;
    sdw_box at = in->full_res ? in->region : (sdw_box){ 0, 0, in->width, in->height };
    sdw_status status = sdw_image_clone(in->base, &result, err);
    if (status == SDW_OK) status = sdw_image_resize(*image, at.width, at.height, SDW_FILTER_LANCZOS, &part, err);
    if (status == SDW_OK) status = sdw_image_resize(in->soft, at.width, at.height, r->mask_blur > 0 ? SDW_FILTER_BILINEAR : SDW_FILTER_NEAREST, &soft, err);
    if (status == SDW_OK) status = sdw_image_composite(result, part, soft, at.x, at.y, err);
    sdw_image_free(part);
    sdw_image_free(soft);
    if (status == SDW_OK) replace(image, result);
    else sdw_image_free(result);
    return status;
}
