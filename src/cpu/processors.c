/* processors.c - see processors.h. */
#define _GNU_SOURCE
#include "cpu/processors.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024, TEXT_BYTES = 4096 };

/* ---- sets ---- */

int sdw_cpu_set_count(const sdw_cpu_set *s)
{
    int n = 0;
    for (int i = 0; i < SDW_CPU_PROCESSORS_MAX; i++) n += sdw_cpu_set_has(s, i);
    return n;
}

static bool read_number(const char **at, long *ret)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    *ret = strtol(*at, &end, 10);
    *at = end;
    return true;
}

bool sdw_cpu_set_parse(const char *text, sdw_cpu_set *ret)
{
    sdw_cpu_set s = { { 0 } };
    const char *at = text;
    while (*at && *at != '\n') {
        long first, last;
        if (!read_number(&at, &first)) return false;
        last = first;
        if (*at == '-' && (at++, !read_number(&at, &last))) return false;
        for (long i = first; i <= last && i < SDW_CPU_PROCESSORS_MAX; i++) s.bits[i / 64] |= UINT64_C(1) << (i % 64);
        if (*at == ',') at++;
        else if (*at && *at != '\n') return false;
    }
    *ret = s;
    return true;
}

sdw_cpu_set sdw_cpu_allowed(void)
{
    sdw_cpu_set s = { { 0 } };
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE && i < SDW_CPU_PROCESSORS_MAX; i++)
            if (CPU_ISSET(i, &set)) s.bits[i / 64] |= UINT64_C(1) << (i % 64);
#endif
    return s;
}

/* ---- files of the system ---- */

/* The file's beginning as a string; false: it cannot be read. */
static bool read_text(const char *root, const char *path, char *ret, size_t size)
{
    char whole[PATH_BYTES];
    if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole) return false;
    FILE *f = fopen(whole, "re");
    if (!f) return false;
    size_t n = fread(ret, 1, size - 1, f);
    fclose(f);
    ret[n] = '\0';
    return true;
}

/* ---- quota ---- */

static int whole_processors(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) return 0;
    long long n = (quota + period - 1) / period;
    return n > SDW_CPU_PROCESSORS_MAX ? SDW_CPU_PROCESSORS_MAX : (int)n;
}

/* One folder of version 2: "200000 100000" or "max 100000". */
static int quota_of(const char *root, const char *folder)
{
    char path[PATH_BYTES], text[64];
    long long quota, period;
    if ((size_t)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder) >= sizeof path) return 0;
    if (!read_text(root, path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
    return whole_processors(quota, period);
}

/* One folder of version 1; an absent limit is -1. */
static int old_quota_of(const char *root, const char *folder)
{
    char path[PATH_BYTES], text[64];
    long long quota, period;
    if ((size_t)snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", folder) >= sizeof path || !read_text(root, path, text, sizeof text))
        return 0;
    if (sscanf(text, "%lld", &quota) != 1) return 0;
    if ((size_t)snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", folder) >= sizeof path || !read_text(root, path, text, sizeof text))
        return 0;
    return sscanf(text, "%lld", &period) == 1 ? whole_processors(quota, period) : 0;
}

/* The smallest limit from `folder` up to the root; folder is cut short on the way. */
static int least_upwards(const char *root, char *folder, int (*limit)(const char *root, const char *folder))
{
    int least = 0;
    if (!strcmp(folder, "/")) folder[0] = '\0';
    for (;;) {
        int n = limit(root, folder);
        if (n > 0 && (least == 0 || n < least)) least = n;
        char *slash = strrchr(folder, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

static bool names_cpu(const char *controllers)
{
    const char *end = strchr(controllers, ':');
    for (const char *at = controllers; end && at < end; at += strcspn(at, ",:") + 1)
        if (!strncmp(at, "cpu", 3) && (at[3] == ',' || at[3] == ':')) return true;
    return false;
}

int sdw_cpu_quota(const char *root)
{
    char text[TEXT_BYTES];
    int least = 0;
    if (!read_text(root, "/proc/self/cgroup", text, sizeof text)) snprintf(text, sizeof text, "0::/\n0:cpu:/\n");
    for (char *line = text, *next; line && *line; line = next) { /* number:controllers:folder */
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        char *controllers = strchr(line, ':'), *folder = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!folder) continue;
        bool unified = folder == controllers + 1;
        if (!unified && !names_cpu(controllers + 1)) continue;
        int n = least_upwards(root, folder + 1, unified ? quota_of : old_quota_of);
        if (n > 0 && (least == 0 || n < least)) least = n;
    }
    return least;
}

/* ---- nodes ---- */

int sdw_cpu_nodes(const char *root, const sdw_cpu_set *allowed, sdw_cpu_set *ret, int max)
{
    char text[TEXT_BYTES], path[PATH_BYTES];
    sdw_cpu_set online;
    int n = 0;
    if (!read_text(root, "/sys/devices/system/node/online", text, sizeof text) || !sdw_cpu_set_parse(text, &online)) return 0;
    for (int node = 0; node < SDW_CPU_PROCESSORS_MAX && n < max; node++) {
        sdw_cpu_set s;
        if (!sdw_cpu_set_has(&online, node)) continue;
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
        if (!read_text(root, path, text, sizeof text) || !sdw_cpu_set_parse(text, &s)) continue;
        for (int i = 0; i < SDW_CPU_PROCESSORS_MAX / 64; i++) s.bits[i] &= allowed->bits[i];
        if (sdw_cpu_set_count(&s) > 0) ret[n++] = s;
    }
    return n;
}
