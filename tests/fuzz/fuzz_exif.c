/* EXIF blocks: orientation and comment; what is read can be written and read again. */
#include <stdlib.h>
#include <string.h>

#include "image/exif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int orientation = sdw_exif_orientation(data, size);
    if (orientation < 1 || orientation > 8) abort();
    sdw_buf text, block, again;
    sdw_buf_init(&text, 0);
    sdw_buf_init(&block, 0);
    sdw_buf_init(&again, 0);
    if (sdw_exif_user_comment(data, size, &text) && text.size > 0) {
        if (!sdw_exif_write_user_comment(text.data, &block)) abort();
        if (!sdw_exif_user_comment((const uint8_t *)block.data, block.size, &again)) abort();
        if (again.size != text.size || memcmp(again.data, text.data, text.size) != 0) abort();
    }
    sdw_buf_finish(&text);
    sdw_buf_finish(&block);
    sdw_buf_finish(&again);
    return 0;
}
