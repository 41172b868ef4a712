/* options.c - request fields that the sampling code reads. */
#include "engine/options.h"

#include <math.h>

sdw_status sdw_sampling_options_of(const sdw_params *r, bool own_spacing, size_t elements, sdw_sampling_options *ret, sdw_error *err)
{
    sdw_sampling_options o = { .sampler = r->sampler, .schedule = r->schedule, .own_spacing = own_spacing, .steps = r->steps, .strength = isnan(r->strength) ? 1.0 : r->strength,
                               .has_eta = !isnan(r->eta), .eta = isnan(r->eta) ? 0.0 : r->eta, .elements = elements };
    sdw_status status = SDW_OK;
    if (r->spacing) status = sdw_spacing_parse(r->spacing, &o.spacing, err);
    if (status == SDW_OK && r->final_sigma) status = sdw_final_sigma_parse(r->final_sigma, &o.final_sigma, err);
    if (status == SDW_OK) *ret = o;
    return status;
}
