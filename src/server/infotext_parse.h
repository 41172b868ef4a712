/* infotext_parse.h - the "parameters" text of AUTOMATIC1111's pictures taken apart (http-apis 4.5). Any thread. */
#ifndef SDW_SERVER_INFOTEXT_PARSE_H
#define SDW_SERVER_INFOTEXT_PARSE_H

#include "core/buf.h"

/* Appends a JSON object: "Prompt", "Negative prompt", then every "Key: value" of the last line as texts; "WxH" as Key-1 and
 * Key-2 too. Where they are missing "Clip skip" is "1", "Schedule type" "Automatic", "RNG" "GPU". */
void sdw_infotext_to_json(const char *text, sdw_buf *out);

#endif
