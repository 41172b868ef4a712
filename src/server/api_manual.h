/* api_manual.h - docs/api.md: the guide, then the tables. */
#ifndef SDW_SERVER_API_MANUAL_H
#define SDW_SERVER_API_MANUAL_H

#include "server/http.h"

/* Markdown. False without memory. */
bool sdw_api_manual_write(const sdw_routes *const *tables, sdw_buf *out);

#endif
