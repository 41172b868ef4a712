/* native_handlers.h - handlers that stand under more than one address. */
#ifndef SDW_SERVER_NATIVE_HANDLERS_H
#define SDW_SERVER_NATIVE_HANDLERS_H

#include "server/http.h"

/* POST of a native body; needs SDW_ROUTE_DESK. */
void sdw_route_submit(const sdw_http_request *r, sdw_http_response *ret);
/* GET of a job's events; r->tail is the job. */
void sdw_route_stream(const sdw_http_request *r, sdw_http_response *ret);

#endif
