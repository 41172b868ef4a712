/* inference.c - the addresses under which orchestrators post jobs; the same as /v1/jobs. */
#include "server/native_handlers.h"

static const sdw_route rows[] = {
    { "POST", "/v1/inference", SDW_FACE_NATIVE, SDW_ROUTE_DESK, sdw_route_submit, "submitInference",
      "The same as POST /v1/jobs." },
    { "POST", "/v1/infer", SDW_FACE_NATIVE, SDW_ROUTE_DESK, sdw_route_submit, "submitInfer", "The same as POST /v1/jobs." },
    { "GET", "/v1/inference/{id}/stream", SDW_FACE_NATIVE, SDW_ROUTE_TOKEN_QUERY, sdw_route_stream, "streamInference",
      "The same as GET /v1/jobs/{id}/stream." },
};
const sdw_routes sdw_routes_inference = { rows, sizeof rows / sizeof rows[0] };
