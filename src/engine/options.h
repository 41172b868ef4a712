/* options.h - from request fields to the options of the sampling code. */
#ifndef SDW_ENGINE_OPTIONS_H
#define SDW_ENGINE_OPTIONS_H

#include "diffusion/sampling.h"
#include "sdw/sdw.h"

/* r: names may be aliases, numbers are filled in. own_spacing as in sdw_sampling_options. */
sdw_status sdw_sampling_options_of(const sdw_params *r, bool own_spacing, size_t elements, sdw_sampling_options *ret, sdw_error *err);

#endif
