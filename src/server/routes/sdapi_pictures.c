/* sdapi_pictures.c - what a picture says of itself, and resizing (http-apis 4.4). */
#include <math.h>
#include <string.h>

#include "core/base64.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "image/image.h"
#include "image/resize.h"
#include "server/answer.h"
#include "server/infotext_parse.h"
#include "server/job_images.h"
#include "server/json_out.h"
#include "server/sdapi_request.h"
#include "server/server.h"

#define BATCH_MAX 32

/* NULL: ret holds the 422. */
static yyjson_doc *body_of(const sdw_http_request *r, sdw_http_response *ret)
{
    const sdw_json_limits limits = { .bytes_max = r->body_size ? r->body_size : 1, .top = SDW_JSON_OBJECT };
    sdw_error err = { 0 };
    yyjson_doc *doc = NULL;
    if (sdw_json_parse(r->body, r->body_size, "body", &limits, &doc, &err) != SDW_OK) sdw_sdapi_error(ret, 422, err.text);
    return doc;
}

/* ---- png-info ---- */

static bool file_bytes(yyjson_val *v, sdw_buf *out, sdw_error *err)
{
    size_t prefix = 0;
    if (!yyjson_is_str(v)) return sdw_fail(err, SDW_INVALID, "image: want base64 text") == SDW_OK;
    sdw_status s = sdw_data_url_prefix(yyjson_get_str(v), yyjson_get_len(v), "image", &prefix, err);
    if (s == SDW_OK) s = sdw_base64_decode(yyjson_get_str(v) + prefix, yyjson_get_len(v) - prefix, "image", SDW_LIMIT_IMAGE_BYTES, out, err);
    if (s == SDW_OK) s = sdw_image_probe(out->data, out->size, NULL, &(sdw_image_info){ 0 }, err);
    return s == SDW_OK;
}

static void png_info(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_buf bytes;
    sdw_error err = { 0 };
    char *text = NULL;
    yyjson_doc *doc = body_of(r, ret);
    if (!doc) return;
    sdw_buf_init(&bytes, SDW_LIMIT_IMAGE_BYTES);
    if (!file_bytes(yyjson_obj_get(yyjson_doc_get_root(doc), "image"), &bytes, &err)) {
        sdw_sdapi_error(ret, 400, "Invalid encoded image");
    } else {
        sdw_image_read_text(bytes.data, bytes.size, "image", SDW_TEXT_PARAMETERS, &text, NULL); /* NOT_FOUND: it has none */
        sdw_buf *out = sdw_answer_json(ret, 200);
        sdw_json_open(out, '{');
        sdw_json_put_text(out, "info", text ? text : "");
        sdw_json_key(out, "items");
        sdw_json_raw(out, "{}");
        sdw_json_key(out, "parameters");
        if (text) sdw_infotext_to_json(text, out);
        else sdw_json_raw(out, "{}");
        sdw_json_close(out, '}');
        sdw_answer_check(ret);
    }
    sdw_free(text);
    sdw_buf_finish(&bytes);
    yyjson_doc_free(doc);
}

/* ---- resizing ---- */

typedef struct extras { int mode, width, height; double factor; bool crop; sdw_filter filter; } extras;

static double number_of(yyjson_val *root, const char *name, double standard)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    return yyjson_is_num(v) ? yyjson_get_num(v) : standard;
}

static const char *read_extras(yyjson_val *root, extras *e)
{
    const char *upscaler = yyjson_get_str(yyjson_obj_get(root, "upscaler_1"));
    yyjson_val *crop = yyjson_obj_get(root, "upscaling_crop");
    e->mode = (int)number_of(root, "resize_mode", 0);
    e->factor = number_of(root, "upscaling_resize", 2);
    e->width = (int)number_of(root, "upscaling_resize_w", 512);
    e->height = (int)number_of(root, "upscaling_resize_h", 512);
    e->crop = !yyjson_is_bool(crop) || yyjson_get_bool(crop);
    e->filter = SDW_FILTER_LANCZOS;
    if (upscaler && !strcmp(upscaler, "Nearest")) e->filter = SDW_FILTER_NEAREST;
    else if (upscaler && upscaler[0] && strcmp(upscaler, "None") && strcmp(upscaler, "Lanczos")) return "upscaler_1: want None, Lanczos or Nearest";
    if (e->mode != 0 && e->mode != 1) return "resize_mode: want 0 (by upscaling_resize) or 1 (to upscaling_resize_w and upscaling_resize_h)";
    if (!(e->factor > 0 && e->factor <= 8)) return "upscaling_resize: want a number above 0 up to 8";
    if (e->width < 1 || e->width > SDW_LIMIT_IMAGE_SIDE || e->height < 1 || e->height > SDW_LIMIT_IMAGE_SIDE) return "upscaling_resize_w, upscaling_resize_h: want 1 to 16384";
    const char *others[] = { "gfpgan_visibility", "codeformer_visibility", "extras_upscaler_2_visibility" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (number_of(root, others[i], 0) != 0) return "gfpgan, codeformer and a second upscaler cannot be done yet: want a visibility of 0";
    return NULL;
}

/* Cuts the middle; with mode 1 and crop the picture covers the size first. */
static sdw_status crop_middle(sdw_image **image, int width, int height, sdw_error *err)
{
    sdw_image *from = *image, *to;
    if (from->width == width && from->height == height) return SDW_OK;
    sdw_status s = sdw_image_create(width, height, from->channels, &to, err);
    if (s != SDW_OK) return s;
    size_t x = (size_t)(from->width - width) / 2, y = (size_t)(from->height - height) / 2, c = (size_t)from->channels;
    for (size_t row = 0; row < (size_t)height; row++)
        memcpy(to->pixels + row * (size_t)width * c, from->pixels + ((row + y) * (size_t)from->width + x) * c, (size_t)width * c);
    sdw_image_free(from);
    *image = to;
    return SDW_OK;
}

static sdw_status enlarge(const sdw_image *from, const extras *e, sdw_image **ret, sdw_error *err)
{
    double factor = e->factor;
    int width = e->width, height = e->height;
    if (e->mode == 1) {
        double x = (double)width / from->width, y = (double)height / from->height;
        factor = e->crop ? (x > y ? x : y) : (x < y ? x : y);
    }
    int w = (int)lround(from->width * factor), h = (int)lround(from->height * factor);
    if (w < 1) w = 1;
    if (h < 1) h = 1;
    if (e->mode == 1 && e->crop) w = w < width ? width : w, h = h < height ? height : h;
    sdw_status s = sdw_image_resize(from, w, h, e->filter, ret, err);
    if (s == SDW_OK && e->mode == 1 && e->crop) {
        s = crop_middle(ret, width, height, err);
        if (s != SDW_OK) sdw_image_free(*ret);
    }
    return s;
}

static bool put_enlarged(const sdw_http_request *r, yyjson_val *v, const extras *e, sdw_buf *out, sdw_error *err)
{
    const sdw_picture_rules rules = { .what = "image", .channels = 3, .pixels_max = sdw_server_options_of(r->server)->image_pixels_max };
    sdw_image *from = NULL, *to = NULL;
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    sdw_status s = yyjson_is_str(v) ? sdw_picture_from_base64(yyjson_get_str(v), yyjson_get_len(v), &rules, &from, err) : sdw_fail(err, SDW_INVALID, "image: want base64 text");
    if (s == SDW_OK) s = enlarge(from, e, &to, err);
    if (s == SDW_OK) s = sdw_image_encode(to, "png", NULL, &bytes, err);
    if (s == SDW_OK) sdw_json_base64(out, bytes.data, bytes.size);
    sdw_buf_finish(&bytes);
    sdw_image_free(from);
    sdw_image_free(to);
    return s == SDW_OK;
}

static void extra(const sdw_http_request *r, bool batch, sdw_http_response *ret)
{
    extras e;
    sdw_error err = { 0 };
    yyjson_doc *doc = body_of(r, ret);
    if (!doc) return;
    yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_obj_get(root, "imageList");
    const char *wrong = read_extras(root, &e);
    size_t n = batch ? yyjson_arr_size(list) : 1;
    if (!wrong && batch && (n == 0 || n > BATCH_MAX)) wrong = "imageList: want 1 to 32 pictures";
    if (wrong) {
        sdw_sdapi_error(ret, 422, wrong);
        yyjson_doc_free(doc);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    bool ok = true;
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "html_info", "");
    sdw_json_key(out, batch ? "images" : "image");
    if (batch) sdw_json_open(out, '[');
    for (size_t i = 0; ok && i < n; i++)
        ok = put_enlarged(r, batch ? yyjson_obj_get(yyjson_arr_get(list, i), "data") : yyjson_obj_get(root, "image"), &e, out, &err);
    if (batch) sdw_json_close(out, ']');
    sdw_json_close(out, '}');
    yyjson_doc_free(doc);
    if (!ok) sdw_http_fail(ret, SDW_FACE_SDAPI, &err);
    else sdw_answer_check(ret);
}

static void extra_single(const sdw_http_request *r, sdw_http_response *ret)
{
    extra(r, false, ret);
}

static void extra_batch(const sdw_http_request *r, sdw_http_response *ret)
{
    extra(r, true, ret);
}

static void interrogate(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    sdw_sdapi_error(ret, 404, "Model not found");
}

static const sdw_route rows[] = {
    { "POST", "/sdapi/v1/png-info", SDW_FACE_SDAPI, SDW_ROUTE_DESK, png_info, "sdapiPngInfo", "AUTOMATIC1111: the request that a picture carries." },
    { "POST", "/sdapi/v1/extra-single-image", SDW_FACE_SDAPI, SDW_ROUTE_DESK, extra_single, "sdapiExtraSingle", "AUTOMATIC1111: a picture enlarged, by Lanczos or Nearest." },
    { "POST", "/sdapi/v1/extra-batch-images", SDW_FACE_SDAPI, SDW_ROUTE_DESK, extra_batch, "sdapiExtraBatch", "AUTOMATIC1111: the same for up to 32 pictures." },
    { "POST", "/sdapi/v1/interrogate", SDW_FACE_SDAPI, SDW_ROUTE_DESK, interrogate, "sdapiInterrogate", "AUTOMATIC1111: refused, there is no captioning model." },
};
const sdw_routes sdw_routes_sdapi_pictures = { rows, sizeof rows / sizeof rows[0] };
