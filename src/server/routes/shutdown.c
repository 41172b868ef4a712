/* shutdown.c - POST /v1/shutdown: as SIGTERM, half a second later, for those who may (worker-protocol 3.1). */
#include "server/answer.h"
#include "server/json_out.h"
#include "server/server.h"

static void shut_down(const sdw_http_request *r, sdw_http_response *ret)
{
    const sdw_server_options *o = sdw_server_options_of(r->server);
    if (!sdw_is_trusted(r)) {
        sdw_answer_error(ret, 403, "FORBIDDEN",
                         "Without a key only a client on this machine, asking directly, may stop the worker; set --api-key");
        return;
    }
    if (o->shutdown) o->shutdown(o->shutdown_ctx);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "status", "stopping");
    sdw_json_close(out, '}');
}

static const sdw_route rows[] = {
    { "POST", "/v1/shutdown", SDW_FACE_NATIVE, SDW_ROUTE_SMALL_BODY, shut_down, "shutdown",
      "Stops the worker as SIGTERM does, after half a second." },
};
const sdw_routes sdw_routes_shutdown = { rows, sizeof rows / sizeof rows[0] };
