/* meminfo.h - how much memory this process may use and has used. */
#ifndef SDW_CORE_MEMINFO_H
#define SDW_CORE_MEMINFO_H

#include <stdint.h>

/* Bytes that the machine, or the control group if that is tighter, gives this process in all; 0 if unknown. */
uint64_t sdw_memory_total(void);
/* Bytes of those that programs could have now without swapping, as the kernel estimates; 0 if unknown. */
uint64_t sdw_memory_available(void);

#endif
