/* process.h - what the system knows of this process, for /metrics. */
#ifndef SDW_SERVER_PROCESS_H
#define SDW_SERVER_PROCESS_H

#include <stdint.h>

typedef struct sdw_process_stats {
    double cpu_s, started_at;   /* started_at: seconds since 1970 */
    uint64_t resident_bytes, virtual_bytes;
    int open_fds, max_fds;      /* -1 = not known */
} sdw_process_stats;

void sdw_process_stats_of(sdw_process_stats *ret);

#endif
