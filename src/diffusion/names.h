/* names.h - the samplers and schedules there are, and every other name under which people know them. */
#ifndef SDW_DIFFUSION_NAMES_H
#define SDW_DIFFUSION_NAMES_H

#include <stddef.h>

#include "core/status.h"

typedef struct sdw_sampling_name {
    const char *name;    /* canonical, static storage */
    const char *summary; /* one line */
    const char *label;   /* AUTOMATIC1111's label; NULL if it has none */
    const char *class_name; /* of the reference library; NULL if none */
} sdw_sampling_name;

/* Sorted by name; static storage. */
const sdw_sampling_name *sdw_sampler_list(size_t *ret_count);
const sdw_sampling_name *sdw_schedule_list(size_t *ret_count);

/* Finds a sampler by its own name, its class in the reference library, or its A1111 or rbee name. Case, '-', '_' and
 * ' ' do not matter. A trailing " Karras", " Exponential" ... is a schedule. *ret_schedule is NULL if the name implies
 * none. Unknown: SDW_INVALID, field "sampler", the text lists the names; algorithms that we lack are refused with the
 * nearest name. The results are canonical names in static storage. Any thread. */
sdw_status sdw_sampler_resolve(const char *name, const char **ret_sampler, const char **ret_schedule, sdw_error *err);
sdw_status sdw_schedule_resolve(const char *name, const char **ret_schedule, sdw_error *err);

#endif
