/* legacy.c - the oldest generation: the POST itself answers with the events, and who leaves cancels (worker-protocol
 * 4.4, 5.6). */
#include "server/answer.h"
#include "server/job_stream.h"
#include "server/job_submit.h"

static void run(const sdw_http_request *r, sdw_body_shape shape, sdw_http_response *ret)
{
    const sdw_job_stream_options o = { .form = SDW_SSE_G0, .cancel_when_gone = true };
    sdw_job_id id;
    bool replayed = false;
    sdw_error err = { 0 };
    if (!sdw_submit_body(r, shape, &id, &replayed, ret)) return;
    if (sdw_job_stream_open(r->server, &id, &o, ret, &err) == SDW_OK) return;
    sdw_worker_cancel(sdw_server_worker(r->server), &id, NULL);
    sdw_answer_later(ret, 503, "OVERLOADED", err.text);
}

static void execute(const sdw_http_request *r, sdw_http_response *ret)
{
    run(r, SDW_BODY_EXECUTE, ret);
}

static void img2img(const sdw_http_request *r, sdw_http_response *ret)
{
    run(r, SDW_BODY_IMG2IMG, ret);
}

static void inpaint(const sdw_http_request *r, sdw_http_response *ret)
{
    run(r, SDW_BODY_INPAINT, ret);
}

static const sdw_route rows[] = {
    { "POST", "/execute", SDW_FACE_NATIVE, SDW_ROUTE_DESK, execute, "executeGeneration",
      "First generation: a picture from a prompt, events in the answer itself." },
    { "POST", "/img2img", SDW_FACE_NATIVE, SDW_ROUTE_DESK, img2img, "executeTransform",
      "First generation: a picture from a picture, events in the answer itself." },
    { "POST", "/inpaint", SDW_FACE_NATIVE, SDW_ROUTE_DESK, inpaint, "executeInpaint",
      "First generation: a picture repainted under a mask, events in the answer itself." },
};
const sdw_routes sdw_routes_legacy = { rows, sizeof rows / sizeof rows[0] };
