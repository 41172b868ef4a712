/* crc32c.h - CRC-32C (Castagnoli), as in iSCSI and ext4: finds torn and flipped bytes, no defence against malice. */
#ifndef SDW_CORE_CRC32C_H
#define SDW_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc = 0 to begin; the result of one piece goes on with the next. Any thread. */
uint32_t sdw_crc32c(uint32_t crc, const void *data, size_t size);

#endif
