/* sdapi_settings.h - the standing options of the AUTOMATIC1111 face (POST /sdapi/v1/options). One per server, made by who
 * starts it; forgotten when the process ends. Any thread. */
#ifndef SDW_SERVER_SDAPI_SETTINGS_H
#define SDW_SERVER_SDAPI_SETTINGS_H

#include <stdbool.h>

#include "server/sdapi_request.h"

typedef struct sdw_sdapi_settings sdw_sdapi_settings;

sdw_sdapi_settings *sdw_sdapi_settings_create(void); /* NULL without memory */
void sdw_sdapi_settings_free(sdw_sdapi_settings *s); /* accepts NULL */

/* What requests start from; s may be NULL: the defaults. Static texts. */
sdw_sdapi_defaults sdw_sdapi_settings_get(sdw_sdapi_settings *s);
/* False: not a value that the option can have. s NULL: checked and forgotten. */
bool sdw_sdapi_set_format(sdw_sdapi_settings *s, const char *format);
bool sdw_sdapi_set_clip_stop(sdw_sdapi_settings *s, double layers);
bool sdw_sdapi_set_randn(sdw_sdapi_settings *s, const char *source);

#endif
