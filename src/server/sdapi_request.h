/* sdapi_request.h - the body of an AUTOMATIC1111 txt2img or img2img call (http-apis 4.2, 4.3) as a job. Decodes pictures, so
 * it belongs on a desk thread. */
#ifndef SDW_SERVER_SDAPI_REQUEST_H
#define SDW_SERVER_SDAPI_REQUEST_H

#include "core/arena.h"
#include "core/json.h"
#include "image/image.h"
#include "server/http.h"

/* One parameter: its default as JSON, and what becomes of it. The table is the echo of answers and a part of docs/api.md. */
typedef enum sdw_sdapi_verdict {
    SDW_SDAPI_DONE,
    SDW_SDAPI_IGNORED,  /* accepted, changes nothing */
    SDW_SDAPI_REFUSED   /* only its default, null or an empty value is accepted */
} sdw_sdapi_verdict;
typedef struct sdw_sdapi_parameter {
    const char *name, *standard;
    bool text_call, image_call; /* belongs to txt2img, to img2img */
    sdw_sdapi_verdict verdict;
    const char *note;
} sdw_sdapi_parameter;
extern const sdw_sdapi_parameter sdw_sdapi_parameters[]; /* a NULL name ends */

/* 422 with "detail" as a list, or another status with "detail" as a text. */
typedef struct sdw_sdapi_problem { int status; const char *field; char message[SDW_ERROR_TEXT_MAX]; } sdw_sdapi_problem;

typedef struct sdw_sdapi_request {
    bool image_call;
    sdw_job_request job;       /* borrows from the rest */
    int batch_size, n_iter;
    bool send_images, include_init_images;
    const char *checkpoint;    /* override_settings.sd_model_checkpoint; NULL = none */
    yyjson_doc *doc;
    yyjson_val *root;
    sdw_arena arena;
    sdw_image *init, *mask;
    sdw_picture pictures[2];
} sdw_sdapi_request;

/* Standing options that requests start from (POST /sdapi/v1/options). */
typedef struct sdw_sdapi_defaults { const char *format; int clip_stop; const char *randn_source; } sdw_sdapi_defaults;

/* False: *ret_problem says why. Finish *ret in every case. */
bool sdw_sdapi_read(const sdw_http_request *r, bool image_call, const sdw_sdapi_defaults *standing, sdw_sdapi_request *ret, sdw_sdapi_problem *ret_problem);
void sdw_sdapi_finish(sdw_sdapi_request *q);

/* The whole request with defaults filled in, as a value. */
void sdw_sdapi_write_echo(const sdw_sdapi_request *q, sdw_buf *out);
/* The problem as an answer. */
void sdw_sdapi_refuse(const sdw_sdapi_problem *p, sdw_http_response *ret);
void sdw_sdapi_error(sdw_http_response *ret, int status, const char *detail);

#endif
