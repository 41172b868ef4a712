/* process.c - see process.h. Everything comes from /proc and two system calls; what cannot be read stays 0. */
#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n - 1; /* the folder itself */
}

/* The 22nd field of stat: clock ticks from boot to the start; the second one, a name in brackets, may hold anything. */
static double start_time(void)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f) return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    unsigned long long ticks = 0;
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (!at || sscanf(at, " %llu", &ticks) != 1) return 0;
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) * 1e-9;
    return booted + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void sdw_process_stats_of(sdw_process_stats *ret)
{
    struct rusage use;
    struct rlimit limit;
    unsigned long long size = 0, resident = 0;
    *ret = (sdw_process_stats){ .open_fds = count_fds(), .max_fds = -1, .started_at = start_time() };
    if (getrusage(RUSAGE_SELF, &use) == 0) ret->cpu_s = seconds(use.ru_utime) + seconds(use.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) ret->max_fds = (int)limit.rlim_cur;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return;
    if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        ret->virtual_bytes = size * page;
        ret->resident_bytes = resident * page;
    }
    fclose(f);
}
