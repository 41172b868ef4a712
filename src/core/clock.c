/* clock.c - clock_gettime and RFC 3339. */
#include "core/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t now_ns(clockid_t id)
{
    struct timespec t = { 0 };
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * SDW_SECOND_NS + t.tv_nsec;
}

int64_t sdw_clock_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t sdw_clock_wall_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

double sdw_clock_monotonic_s(void)
{
    return (double)sdw_clock_monotonic_ns() / (double)SDW_SECOND_NS;
}

double sdw_clock_wall_s(void)
{
    return (double)sdw_clock_wall_ns() / (double)SDW_SECOND_NS;
}

void sdw_rfc3339(int64_t wall_ns, sdw_zone_form form, char ret[SDW_RFC3339_SIZE])
{
    int64_t s = wall_ns / SDW_SECOND_NS, ns = wall_ns % SDW_SECOND_NS;
    if (ns < 0) s--, ns += SDW_SECOND_NS;
    /* Days to a date: Hinnant, "chrono-compatible low-level date algorithms". Years begin in March, so that the leap day is the last. */
    int64_t day = s / 86400, in_day = s % 86400;
    if (in_day < 0) day--, in_day += 86400;
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t doe = day - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    /* 64 bits of nanoseconds reach from 1677 to 2262; the remainders only tell the compiler how many digits there are. */
    snprintf(ret, SDW_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09u%s", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)(doy - (153 * mp + 2) / 5 + 1) % 100, (unsigned)(in_day / 3600) % 100, (unsigned)(in_day / 60 % 60),
             (unsigned)(in_day % 60), (unsigned)ns % 1000000000u, form == SDW_ZONE_Z ? "Z" : "+00:00");
}
