/* job_images.h - pictures that come with a request: base64 text or file bytes become pixels, within limits that are
 * checked before anything is decoded. Every face uses these. Desk threads: a decode takes time, and may wait its turn. */
#ifndef SDW_SERVER_JOB_IMAGES_H
#define SDW_SERVER_JOB_IMAGES_H

#include "image/image.h"

typedef struct sdw_picture_rules {
    const char *what;      /* for errors: "input image" */
    int channels;          /* 3 RGB, 1 mask; as in sdw_image_decode_options */
    size_t pixels_max;     /* --max-image-pixels; 0 = the limit of core/limits.h */
} sdw_picture_rules;

/* Standard base64, padded or not, with or without "data:...;base64," before it. SDW_INVALID: not base64; everything
 * else as sdw_picture_from_bytes. */
sdw_status sdw_picture_from_base64(const char *text, size_t size, const sdw_picture_rules *rules, sdw_image **ret_image,
                                   sdw_error *err);
/* PNG, JPEG or WebP by the first bytes, orientation applied. While other threads decode all the pixels that may be
 * decoded at once it waits, at most half a minute (SDW_BUSY). SDW_FORMAT, SDW_UNSUPPORTED, SDW_LIMIT. */
sdw_status sdw_picture_from_bytes(const void *bytes, size_t size, const sdw_picture_rules *rules, sdw_image **ret_image,
                                  sdw_error *err);

#endif
