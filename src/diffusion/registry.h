/* registry.h - every sampler and schedule record. Internal to this folder. */
#ifndef SDW_DIFFUSION_REGISTRY_H
#define SDW_DIFFUSION_REGISTRY_H

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

/* By canonical name; NULL if there is none. */
const sdw_sampler *sdw_sampler_find(const char *name);
const sdw_schedule *sdw_schedule_find(const char *name);
/* Sorted by name. */
const sdw_sampler *const *sdw_sampler_records(size_t *ret_count);
const sdw_schedule *const *sdw_schedule_records(size_t *ret_count);

/* The sampler that stands for a class of the reference library (exact name); NULL if none does. */
const sdw_sampler *sdw_sampler_of_class(const char *class_name);

#endif
