/* registry.c - every sampler and schedule record, sorted by name. */
#include "diffusion/registry.h"

#include <string.h>

#define SAMPLERS(X)                                                                                                  \
    X(ddim) X(ddpm) X(deis) X(dpm2) X(dpm2_a) X(dpmpp_2m) X(dpmpp_2m_sde) X(dpmpp_2s) X(dpmpp_3m) X(euler)           \
    X(euler_a) X(heun) X(lcm) X(lms) X(pndm) X(tcd) X(unipc)
#define SCHEDULES(X)                                                                                                 \
    X(beta) X(ddim_uniform) X(exponential) X(karras) X(normal) X(plain) X(sgm_uniform) X(simple)

#define DECLARE(name) extern const sdw_sampler sdw_sampler_##name;
SAMPLERS(DECLARE)
#undef DECLARE
#define DECLARE(name) extern const sdw_schedule sdw_schedule_##name;
SCHEDULES(DECLARE)
#undef DECLARE

static const sdw_sampler *const samplers[] = {
#define RECORD(name) &sdw_sampler_##name,
    SAMPLERS(RECORD)
#undef RECORD
};

static const sdw_schedule *const schedules[] = {
#define RECORD(name) &sdw_schedule_##name,
    SCHEDULES(RECORD)
#undef RECORD
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
