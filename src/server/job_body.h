/* job_body.h - the JSON that asks for a picture, in every shape the native API takes (worker-protocol 4): tagged
 * operations, flat bodies without one, and those of /execute, /img2img and /inpaint. Everything that is wrong with a
 * body is collected, in the order of the field table. Decodes pictures, so it belongs on a desk thread. */
#ifndef SDW_SERVER_JOB_BODY_H
#define SDW_SERVER_JOB_BODY_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/json.h"
#include "image/image.h"
#include "sdw/worker.h"

typedef enum sdw_body_shape { SDW_BODY_NATIVE, SDW_BODY_EXECUTE, SDW_BODY_IMG2IMG, SDW_BODY_INPAINT } sdw_body_shape;

/* What a body is read against; texts borrowed for the call. */
typedef struct sdw_body_context {
    sdw_body_shape shape;
    const char *model_id;                    /* what is loaded, "" = nothing yet */
    int default_width, default_height;       /* the model's, for messages; 0 = 512 */
    double job_timeout_s;                    /* upper limit of timeout_s; 0 = none */
    size_t image_pixels_max;                 /* 0 = the limit of core/limits.h */
    bool (*is_model)(void *ctx, const char *name); /* may `model` choose this one? NULL = it never chooses */
    void *ctx;
} sdw_body_context;

/* One field at fault. Texts live as long as the body. */
typedef struct sdw_violation {
    const char *field, *constraint, *message;
    const char *value; /* what was given, shortened; NULL = not told (pictures, absent fields) */
    bool unparsed;     /* wrong type, missing, unknown value: the body is no operation at all */
} sdw_violation;

#define SDW_VIOLATIONS_MAX 48
#define SDW_BODY_NOTES_MAX 8

/* A zeroed struct is a valid empty one. */
typedef struct sdw_job_body {
    sdw_job_request request; /* complete if reading answered OK; borrows from the rest */
    sdw_violation violations[SDW_VIOLATIONS_MAX];
    int violation_count;
    const char *notes[SDW_BODY_NOTES_MAX + 1];
    int note_count;
    bool no_memory; /* for a message, so that something at fault may not have been told */
    yyjson_doc *doc;
    sdw_arena arena;
    sdw_image *init, *mask;
    sdw_picture init_picture, mask_picture;
} sdw_job_body;

/* OK, or SDW_INVALID (also for JSON that is none, and operations that are not for us) with the whole message for the
 * client in err; then *ret may hold violations. SDW_NO_MEMORY. Finish *ret in every case. */
sdw_status sdw_job_body_read(const char *text, size_t size, const sdw_body_context *context, sdw_job_body *ret,
                             sdw_error *err);
void sdw_job_body_finish(sdw_job_body *b);

/* The error object of worker-protocol 4.1: {"error":{"code","message"},"errors":[...]}; "errors" only with violations. */
bool sdw_job_body_write_error(const sdw_job_body *b, const char *code, const char *message, sdw_buf *out);

#endif
