/* ops.h - the families of /metrics that are not the HTTP server's own. */
#ifndef SDW_SERVER_OPS_H
#define SDW_SERVER_OPS_H

#include "server/http.h"
#include "server/prom.h"

/* Model, queue and jobs; git: the revision that was built. */
void sdw_ops_write_worker(const sdw_server *s, const char *git, sdw_prom *p);
void sdw_ops_write_process(sdw_prom *p);

#endif
