/* clock.h - the two clocks and their spellings. Any thread.
 * Code that keeps deadlines or ages takes the time as an argument, so that tests can say what time it is. */
#ifndef SDW_CORE_CLOCK_H
#define SDW_CORE_CLOCK_H

#include <stdint.h>

#define SDW_SECOND_NS 1000000000LL

/* Never goes back; from an arbitrary start. */
int64_t sdw_clock_monotonic_ns(void);
/* Since 1970; may jump when somebody sets the clock. */
int64_t sdw_clock_wall_ns(void);
double sdw_clock_monotonic_s(void);
double sdw_clock_wall_s(void);

typedef enum sdw_zone_form { SDW_ZONE_OFFSET, SDW_ZONE_Z } sdw_zone_form;

#define SDW_RFC3339_SIZE 36
/* "2025-11-03T21:00:00.123456789+00:00", or "...789Z". Any 64-bit time (1677 to 2262). */
void sdw_rfc3339(int64_t wall_ns, sdw_zone_form form, char ret[SDW_RFC3339_SIZE]);

#endif
