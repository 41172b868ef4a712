/* post.h - sending one small JSON text to an address: reports to an orchestrator. Not for the hub's own protocol. */
#ifndef SDW_HUB_POST_H
#define SDW_HUB_POST_H

#include <stdbool.h>

#include "core/status.h"

typedef struct sdw_post_answer {
    int status;       /* of HTTP */
    bool json;        /* the answer says that it is JSON */
} sdw_post_answer;

/* http or https; follows no redirect, uses no proxy, keeps nothing of the answer's body. SDW_OK: any answer; SDW_IO:
 * none (the text says why); SDW_INVALID: no such address. Blocks up to timeout_s. Any thread. */
sdw_status sdw_post_json(const char *url, const char *json, double timeout_s, sdw_post_answer *ret, sdw_error *err);

#endif
