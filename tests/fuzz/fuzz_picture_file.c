/* Any bytes as a stored input picture: what is read has the size that its head says, and is written again the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "worker/picture_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_picture p = { 0 };
    sdw_error err = { 0 };
    sdw_status s = sdw_picture_file_read(data, size, "fuzz", &p, &err);
    if ((s == SDW_OK) != (p.pixels != NULL) || (s != SDW_OK && !err.text[0])) abort();
    if (s == SDW_OK) {
        sdw_buf again;
        sdw_buf_init(&again, 0);
        if (sdw_picture_file_write(&p, &again, &err) != SDW_OK || again.size != size) abort();
        /* The last word of the head is not used, and written as 0. */
        if (memcmp(again.data, data, 20) != 0 || memcmp(again.data + 24, data + 24, size - 24) != 0) abort();
        sdw_buf_finish(&again);
        sdw_free(p.pixels);
    }
    return 0;
}
