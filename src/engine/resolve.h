/* resolve.h - resolving a request while the engine works: reads only what open has fixed. */
#ifndef SDW_ENGINE_RESOLVE_H
#define SDW_ENGINE_RESOLVE_H

#include "core/warn.h"
#include "sdw/sdw.h"

/* As sdw_params_resolve, on any thread at any time between open and close; warnings (may be NULL) are collected. */
sdw_status sdw_params_resolve_with(const sdw_engine *e, const sdw_params *p, sdw_params *ret, sdw_warnings *warnings, sdw_error *err);

#endif
