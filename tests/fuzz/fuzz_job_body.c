/* fuzz_job_body.c - bodies of the native API, in all four shapes: read, refused in words, or a request that holds
 * together. The first byte picks the shape. */
#include <stdlib.h>
#include <string.h>

#include "server/job_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const sdw_body_context context = { .shape = (sdw_body_shape)(data[0] & 3), .model_id = "m", .image_pixels_max = 1 << 20 };
    sdw_job_body body;
    sdw_error err = { 0 };
    sdw_buf out = { 0 };
    sdw_status s = sdw_job_body_read((const char *)data + 1, size - 1, &context, &body, &err);
    if (s == SDW_OK) {
        const sdw_params *p = &body.request.params;
        if (!p->prompt || !*p->prompt || body.violation_count) abort();
        if (p->steps < 0 || p->steps > 150 || p->width % 8 || p->height % 8 || p->count > 8) abort();
        if (p->mask && !p->init_image) abort();
    } else {
        if (!err.text[0]) abort();
        if (!sdw_job_body_write_error(&body, "INVALID_REQUEST", err.text, &out)) abort();
        yyjson_doc *doc = NULL;
        if (sdw_json_parse(out.data, out.size, "answer", NULL, &doc, NULL) != SDW_OK) abort();
        yyjson_doc_free(doc);
    }
    sdw_buf_finish(&out);
    sdw_job_body_finish(&body);
    return 0;
}
