/* budget.h - the pixels that all threads of the process together may be decoding. */
#ifndef SDW_IMAGE_BUDGET_H
#define SDW_IMAGE_BUDGET_H

#include <stddef.h>

#include "core/status.h"

/* Reserves `pixels` until the matching leave; never waits. SDW_BUSY when they would pass
 * SDW_LIMIT_IMAGE_PIXELS_DECODING with what others hold; `what` names the picture. Any thread. */
sdw_status sdw_image_budget_enter(size_t pixels, const char *what, sdw_error *err);
void sdw_image_budget_leave(size_t pixels);

#endif
