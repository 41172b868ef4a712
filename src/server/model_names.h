/* model_names.h - what the protocol calls the families of models (worker-protocol 7.3, 10.1). Any thread. */
#ifndef SDW_SERVER_MODEL_NAMES_H
#define SDW_SERVER_MODEL_NAMES_H

#include "sdw/worker.h"

/* "v1-5" of family "sd15"; "other" where the protocol has no name. */
const char *sdw_family_version(const char *family);
/* "sd1.5" */
const char *sdw_family_variant(const char *family);
/* The version of the loaded model; "" while none is loaded. Static storage. */
const char *sdw_model_version(sdw_worker *w);

#endif
