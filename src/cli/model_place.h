/* model_place.h - where the demo model lies, for everybody who names no model. */
#ifndef SDW_CLI_MODEL_PLACE_H
#define SDW_CLI_MODEL_PLACE_H

#include <limits.h>
#include <stdbool.h>

#include "core/status.h"

/* $SDW_DEMO_MODEL; else, as seen from the program: demo-model beside it, ../share/sdw/demo-model (installed),
 * demo/model of a source tree whose build folder it lies in. SDW_NOT_FOUND names the places looked at. */
sdw_status sdw_cli_demo_model(char ret_path[PATH_MAX], sdw_error *err);

#endif
