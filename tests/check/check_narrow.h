/* check_narrow.h - checks one table of a narrow arithmetic (cpu/narrow.h) against definitions of its own and the scalar entries. */
#ifndef SDW_TESTS_CHECK_CHECK_NARROW_H
#define SDW_TESTS_CHECK_CHECK_NARROW_H

#include "cpu/narrow.h"

/* NULL if every entry does what narrow.h says, otherwise the first that does not, with the case; valid until the next call.
 * score_scale: that of the kernel table n goes with. */
const char *check_narrow(const sdw_cpu_narrow *n, sdw_cpu_precision p, float score_scale);

/* Tables whose products are those of AMX and AVX512-FP16 with the instructions emulated in plain C; everything else is what n held
 * for 32 columns. False: the precision has none. */
bool emulated_narrow(sdw_cpu_narrow *n, sdw_cpu_precision p);

/* Puts wrong entry `index` over what n holds and returns what is wrong with it; NULL when there are no more. */
const char *planted_narrow_bug(sdw_cpu_narrow *n, int index);

#endif
