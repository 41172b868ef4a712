/* check.h - checks one table of kernels against definitions in double and against the scalar table. */
#ifndef SDW_TESTS_CHECK_CHECK_H
#define SDW_TESTS_CHECK_CHECK_H

#include "cpu/kernels.h"

/* NULL if every entry does what kernels.h says, otherwise the first entry that does not, with the case. The text stays
 * valid until the next call. Lengths zero, one, odd and of real models; unaligned pointers; NaN behind every input and
 * guard words behind every output. */
const char *check_kernels(const sdw_cpu_kernels *k);

/* Planted bugs as a fake instruction set: puts wrong entry `index` over what k holds and returns what is wrong with it; NULL
 * when there are no more. The wrong entries call those of the k they were last put over. */
const char *planted_bug(sdw_cpu_kernels *k, int index);

#endif
