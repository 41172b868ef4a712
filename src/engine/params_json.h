/* params_json.h - a request as JSON, and as the `parameters` text that other programs read.
 *
 * The JSON holds every given field under its own name, and beside the fields what is needed to repeat the picture:
 *     {"sdw":"0.1.0","model":"path","family":"sd15","backend":"CPU, AVX-512","init_image_sha256":"...","prompt":...}
 * Input pictures are named by the SHA-256 of their files, never stored. Any thread. */
#ifndef SDW_ENGINE_PARAMS_JSON_H
#define SDW_ENGINE_PARAMS_JSON_H

#include "core/buf.h"
#include "core/status.h"
#include "core/warn.h"
#include "sdw/sdw.h"

/* A request and where it came from. Texts are borrowed when written; after reading they belong to the record. */
typedef struct sdw_request_record {
    sdw_params params;             /* init_image and mask are always NULL here */
    const char *version;           /* of the program; NULL = ours */
    const char *model, *config_dir, *variant, *prediction; /* as the user gave them; NULL = not given */
    const char *family, *backend;  /* for people */
    const char *init_image_sha256, *mask_sha256; /* 64 hex digits; NULL = no such picture */
    void *owner;                   /* set by reading */
} sdw_request_record;

/* Appends one JSON object, one line. Fields that are not given are left out; pictures too. */
sdw_status sdw_request_write_json(const sdw_request_record *r, sdw_buf *out, sdw_error *err);

/* Reads such an object; `what` names it in errors. Values outside a field's range, or of the wrong type, are
 * SDW_INVALID with the field's name; keys that nobody knows are warned about. Finish *ret with the call below. */
sdw_status sdw_request_read_json(const char *text, size_t size, const char *what, sdw_request_record *ret,
                                 sdw_warnings *warnings, sdw_error *err);
void sdw_request_finish(sdw_request_record *r); /* accepts a zeroed record */

/* Appends the text that AUTOMATIC1111's web UI stores under "parameters": prompt, "Negative prompt: ...", then one line
 * of "Key: value" pairs. r->params must be resolved. */
sdw_status sdw_request_write_infotext(const sdw_request_record *r, sdw_buf *out, sdw_error *err);

#endif
