/* random.h - bytes that nobody can guess, from the operating system; for ids and for seeds that were not given. */
#ifndef SDW_CORE_RANDOM_H
#define SDW_CORE_RANDOM_H

#include <stddef.h>

#include "core/status.h"

/* IO if the system has none. Any thread. */
sdw_status sdw_random_bytes(void *dst, size_t size, sdw_error *err);

#endif
