/* request.h - a request as JSON, and as the `parameters` text that other programs read.
 *
 * The JSON holds every given field under its own name, and beside the fields what is needed to repeat the picture:
 *     {"sdw":"0.1.0","model":"path","family":"sd15","backend":"CPU, AVX-512","init_image_sha256":"...","prompt":...}
 * Input pictures are named by the SHA-256 of their files, never stored. Any thread. */
#ifndef SDW_REQUEST_H
#define SDW_REQUEST_H

#include "sdw/sdw.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A request and where it came from. Texts are borrowed when written; after reading they belong to the record. */
typedef struct sdw_request_record {
    sdw_params params;             /* init_image and mask are not written, and NULL after reading */
    const char *version;           /* of the program; NULL = ours */
    const char *model, *config_dir, *variant, *prediction; /* as the user gave them; NULL = not given */
    const char *precision;         /* other than f32; NULL = f32, or not known */
    const char *family, *backend;  /* for people */
    const char *init_image_sha256, *mask_sha256; /* 64 hex digits; NULL = no such picture */
    void *owner;                   /* set by reading */
} sdw_request_record;

/* Texts made here are freed with this; accepts NULL. */
void sdw_text_free(char *text);

/* One JSON object on one line. Fields that are not given are left out. */
sdw_status sdw_request_write_json(const sdw_request_record *r, char **ret_text, sdw_error *err);

/* Reads such an object; `what` names it in errors. Values outside a field's range, or of the wrong type, are
 * SDW_INVALID with the field's name; keys that nobody knows go to warn (may be NULL). Finish *ret with the call below. */
sdw_status sdw_request_read_json(const char *text, size_t size, const char *what, sdw_request_record *ret,
                                 sdw_warn_fn *warn, void *warn_ctx, sdw_error *err);
void sdw_request_finish(sdw_request_record *r); /* accepts a zeroed record */

/* The text that AUTOMATIC1111's web UI stores under "parameters": prompt, "Negative prompt: ...", then one line of
 * "Key: value" pairs. r->params must be resolved. */
sdw_status sdw_request_write_infotext(const sdw_request_record *r, char **ret_text, sdw_error *err);

#ifdef __cplusplus
}
#endif
#endif
