/* budget.c - one counter. It is of the process because memory is: threads that decode at once share it. */
#include "image/budget.h"

#include <stdatomic.h>

#include "core/limits.h"

static atomic_size_t in_use;

sdw_status sdw_image_budget_enter(size_t pixels, const char *what, sdw_error *err)
{
    size_t before = atomic_load(&in_use);
    do {
        if (before > SDW_LIMIT_IMAGE_PIXELS_DECODING || pixels > SDW_LIMIT_IMAGE_PIXELS_DECODING - before)
            return sdw_fail(err, SDW_BUSY, "%s: %zu pixels while %zu are being decoded: want at most %zu at once, "
                            "try again", what, pixels, before, SDW_LIMIT_IMAGE_PIXELS_DECODING);
    } while (!atomic_compare_exchange_weak(&in_use, &before, before + pixels));
    return SDW_OK;
}

void sdw_image_budget_leave(size_t pixels)
{
    atomic_fetch_sub(&in_use, pixels);
}
