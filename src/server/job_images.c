/* job_images.c - see job_images.h. */
#include "server/job_images.h"

#include <time.h>

#include "core/base64.h"
#include "core/limits.h"

/* Waiting for others' pictures: 20 ms are short beside any decode that fills the budget. */
#define WAIT_MS 20
#define WAITS_MAX (30 * 1000 / WAIT_MS)

sdw_status sdw_picture_from_bytes(const void *bytes, size_t size, const sdw_picture_rules *rules, sdw_image **ret_image,
                                  sdw_error *err)
{
    const sdw_image_decode_options options = { .what = rules->what, .channels = rules->channels,
                                               .limits = { .pixels_max = rules->pixels_max } };
    const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };
    sdw_status s = sdw_image_decode(bytes, size, &options, ret_image, err);
    for (int i = 0; s == SDW_BUSY && i < WAITS_MAX; i++) {
        nanosleep(&pause, NULL);
        s = sdw_image_decode(bytes, size, &options, ret_image, err);
    }
    return s;
}

sdw_status sdw_picture_from_base64(const char *text, size_t size, const sdw_picture_rules *rules, sdw_image **ret_image,
                                   sdw_error *err)
{
    sdw_buf bytes;
    size_t prefix = 0;
    sdw_buf_init(&bytes, SDW_LIMIT_IMAGE_BYTES);
    sdw_status s = sdw_data_url_prefix(text, size, rules->what, &prefix, err);
    if (s == SDW_OK)
        s = sdw_base64_decode(text + prefix, size - prefix, rules->what, SDW_LIMIT_IMAGE_BYTES, &bytes, err);
    if (s == SDW_FORMAT) {
        if (err) err->status = SDW_INVALID;
        s = SDW_INVALID;
    }
    if (s == SDW_OK) s = sdw_picture_from_bytes(bytes.data, bytes.size, rules, ret_image, err);
    sdw_buf_finish(&bytes);
    return s;
}
