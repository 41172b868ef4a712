/* inside.c - see inside.h. */
#include "engine/inside.h"

#include "engine/engine_impl.h"

sdw_pipeline *sdw_engine_pipeline(sdw_engine *e)
{
    return e->pipeline;
}
