/* processors.h - which processors this process may use: affinity (which is what a cpuset leaves), the CPU quota of its cgroup and
 * of those above it, and the NUMA nodes they belong to. */
#ifndef SDW_CPU_PROCESSORS_H
#define SDW_CPU_PROCESSORS_H

#include <stdbool.h>
#include <stdint.h>

enum { SDW_CPU_PROCESSORS_MAX = 1024 };

/* A set of processor numbers. */
typedef struct sdw_cpu_set {
    uint64_t bits[SDW_CPU_PROCESSORS_MAX / 64];
} sdw_cpu_set;

static inline bool sdw_cpu_set_has(const sdw_cpu_set *s, int i)
{
    return s->bits[i / 64] >> (i % 64) & 1;
}
int sdw_cpu_set_count(const sdw_cpu_set *s);
/* The kernel's form, "0-3,8,10-11"; numbers beyond the maximum are left out. false: not of that form. */
bool sdw_cpu_set_parse(const char *text, sdw_cpu_set *ret);

/* Processors of the affinity mask; empty where the system does not tell. */
sdw_cpu_set sdw_cpu_allowed(void);
/* Whole processors that the quota of the cgroup and its ancestors allows, rounded up; 0 = no limit. `root` is put before every
 * path, for tests; "" is the system. */
int sdw_cpu_quota(const char *root);
/* NUMA nodes with processors of `allowed`: at most `max` sets, empty ones left out. 0 where the system does not tell. */
int sdw_cpu_nodes(const char *root, const sdw_cpu_set *allowed, sdw_cpu_set *ret, int max);

#endif
