/* meminfo.c - physical memory and the limit of the control group (version 2 and 1). */
#include "core/meminfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* A limit file holds a number or "max". */
static uint64_t read_limit(const char *path)
{
    uint64_t n = 0;
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    if (fscanf(f, "%" SCNu64, &n) != 1) n = 0;
    fclose(f);
    return n;
}

uint64_t sdw_memory_available(void)
{
    char line[128];
    uint64_t kib = 0, total = sdw_memory_total();
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && !kib && fgets(line, sizeof line, f)) sscanf(line, "MemAvailable: %" SCNu64, &kib);
    if (f) fclose(f);
    return kib * 1024 < total ? kib * 1024 : total;
}

uint64_t sdw_memory_total(void)
{
    static const char *const limits[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t total = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    for (int i = 0; i < 2; i++) {
        uint64_t limit = read_limit(limits[i]);
        if (limit && (!total || limit < total)) total = limit;
    }
    return total;
}
