/* names.h - the samplers and schedules there are, and every other name under which people know them. */
#ifndef SDW_DIFFUSION_NAMES_H
#define SDW_DIFFUSION_NAMES_H

#include <stddef.h>

#include "core/status.h"

#define SDW_NAMES_MAX 64

/* One row of --list-samplers; all strings static. */
typedef struct sdw_sampling_name {
    const char *name;       /* canonical */
    const char *summary;    /* one line */
    const char *label;      /* AUTOMATIC1111's label; NULL if it has none */
    const char *class_name; /* of the reference library; NULL for schedules */
} sdw_sampling_name;

/* Fill at most `most` rows, sorted by name; the result is how many there are. Any thread. */
size_t sdw_sampler_list(sdw_sampling_name *ret_rows, size_t most);
size_t sdw_schedule_list(sdw_sampling_name *ret_rows, size_t most);
/* The i-th further name that resolves to the canonical `name`, as written in the table; NULL past the last. */
const char *sdw_sampler_alias(const char *name, size_t i);
const char *sdw_schedule_alias(const char *name, size_t i);

/* AUTOMATIC1111's label of a canonical name; the name itself where it has none or is not ours (NULL for NULL). */
const char *sdw_sampler_label(const char *name);
const char *sdw_schedule_label(const char *name);

/* Finds a sampler by its own name, its class in the reference library, or its A1111, ComfyUI or rbee name. Case, '-',
 * '_' and ' ' do not matter. A trailing " Karras", " Exponential" ... is a schedule. *ret_schedule is NULL if the name
 * implies none. Unknown: SDW_INVALID, field "sampler", the text lists the names; algorithms that we lack are refused
 * with the nearest name. The results are canonical names in static storage. Any thread. */
sdw_status sdw_sampler_resolve(const char *name, const char **ret_sampler, const char **ret_schedule, sdw_error *err);
sdw_status sdw_schedule_resolve(const char *name, const char **ret_schedule, sdw_error *err);

#endif
