/* inside.h - the door behind the public engine, for those who measure it: replay and bench. */
#ifndef SDW_ENGINE_INSIDE_H
#define SDW_ENGINE_INSIDE_H

#include "engine/pipeline.h"
#include "sdw/sdw.h"

/* The engine's own; valid until the engine is closed. Same thread as the engine's other calls. */
sdw_pipeline *sdw_engine_pipeline(sdw_engine *e);

#endif
