/* registry.c - every sampler and schedule record, sorted by name: the lists are made from the file names. */
#include "diffusion/registry.h"

#include <string.h>

#define X(name) extern const sdw_sampler sdw_sampler_##name;
#include "registry/samplers.inc"
#undef X
#define X(name) extern const sdw_schedule sdw_schedule_##name;
#include "registry/schedules.inc"
#undef X

static const sdw_sampler *const samplers[] = {
#define X(name) &sdw_sampler_##name,
#include "registry/samplers.inc"
#undef X
};

static const sdw_schedule *const schedules[] = {
#define X(name) &sdw_schedule_##name,
#include "registry/schedules.inc"
#undef X
};

const sdw_sampler *const *sdw_sampler_records(size_t *ret_count)
{
    *ret_count = sizeof samplers / sizeof samplers[0];
    return samplers;
}

const sdw_schedule *const *sdw_schedule_records(size_t *ret_count)
{
    *ret_count = sizeof schedules / sizeof schedules[0];
    return schedules;
}

const sdw_sampler *sdw_sampler_find(const char *name)
{
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++)
        if (!strcmp(samplers[i]->name, name)) return samplers[i];
    return NULL;
}

const sdw_schedule *sdw_schedule_find(const char *name)
{
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++)
        if (!strcmp(schedules[i]->name, name)) return schedules[i];
    return NULL;
}

/* Three records share the multistep class; the first by name is its plain form (order 2, no noise). */
const sdw_sampler *sdw_sampler_of_class(const char *class_name)
{
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++)
        if (!strcmp(samplers[i]->class_name, class_name)) return samplers[i];
    return NULL;
}
