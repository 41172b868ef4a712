/* openai_request.h - the body of an OpenAI Images call, JSON or multipart, as values (http-apis 3.1, 3.2). Decodes
 * pictures, so it belongs on a desk thread. */
#ifndef SDW_SERVER_OPENAI_REQUEST_H
#define SDW_SERVER_OPENAI_REQUEST_H

#include "core/arena.h"
#include "image/image.h"
#include "server/http.h"

typedef enum sdw_openai_call { SDW_OPENAI_GENERATION, SDW_OPENAI_EDIT, SDW_OPENAI_VARIATION } sdw_openai_call;

#define SDW_OPENAI_PICTURES_MAX 10

/* What is wrong, in OpenAI's terms; texts static or in the request's arena. */
typedef struct sdw_openai_problem { int status; const char *code, *param; char message[SDW_ERROR_TEXT_MAX]; } sdw_openai_problem;

/* Absent numbers are 0 (counts), -1 (compression) or NAN. Texts live in the arena. */
typedef struct sdw_openai_request {
    sdw_openai_call call;
    const char *prompt, *negative_prompt, *model;
    int n, width, height;            /* width 0: auto */
    double step_factor;              /* of the model's default steps; 0 = given by steps */
    int steps;
    double cfg_scale, strength;
    bool has_seed;
    uint64_t seed;
    const char *sampler, *scheduler;
    const char *quality, *output_format;
    int output_compression;
    bool url;                        /* response_format */
    bool stream;
    int partial_images;
    sdw_image *image, *mask;         /* owned; the mask is grey, white = repaint */
    sdw_arena arena;
} sdw_openai_request;

/* False: *ret_problem says why. Finish *ret in every case. */
bool sdw_openai_read(const sdw_http_request *r, sdw_openai_call call, size_t image_pixels_max, sdw_openai_request *ret,
                     sdw_openai_problem *ret_problem);
void sdw_openai_finish(sdw_openai_request *q);

/* One parameter of a call, for docs/api.md: what becomes of it. Sorted as in the documentation; NULL name ends. */
typedef struct sdw_openai_parameter { const char *name, *calls, *verdict, *note; } sdw_openai_parameter;
extern const sdw_openai_parameter sdw_openai_parameters[];

#endif
