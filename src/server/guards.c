/* guards.c - what the head of a request decides before its body is read, in the order of worker-protocol 4.1: 421, 403,
 * 401, 404, 405, 413, 503. Refusals are answered after the body was read, see exchange.c. */
#include <stdio.h>
#include <string.h>

#include "server/impl.h"

static sdw_face face_of(const sdw_exchange *x)
{
    if (x->match.route) return x->match.route->face;
    if (x->match.other) return x->match.other->face;
    return x->head.target.path && strncmp(x->head.target.path, "/sdapi/", 7) == 0 ? SDW_FACE_SDAPI : SDW_FACE_NATIVE;
}

void sdw_refuse(sdw_exchange *x, int status, const char *code, const char *message)
{
    sdw_http_error(&x->answer, face_of(x), status, code, message);
}

/* Unknown paths and methods have no body, except where clients of that API read one. */
static void refuse_path(sdw_exchange *x)
{
    if (!x->match.path_known && face_of(x) == SDW_FACE_SDAPI) {
        sdw_refuse(x, 404, NULL, "Not Found");
        return;
    }
    sdw_http_response_finish(&x->answer);
    x->answer.status = x->match.path_known ? 405 : 404;
    if (x->match.path_known) (void)sdw_http_add_header(&x->answer, "Allow", x->match.allow, NULL);
}

static bool guard_access(sdw_exchange *x)
{
    const sdw_access_rules *a = &x->server->access;
    const char *host = sdw_head_get(&x->head, "host"), *origin = sdw_head_get(&x->head, "origin");
    if (!sdw_access_host_ok(a, host)) {
        sdw_refuse(x, 421, NULL, "Host header is not an address, localhost or this machine's name; --allowed-host allows others");
        return false;
    }
    if (!a->key && sdw_method_changes(x->head.method) && sdw_access_origin(a, origin, host) == SDW_ORIGIN_FOREIGN) {
        sdw_refuse(x, 403, NULL, "Origin is not allowed to change anything here; --cors-origin allows it");
        return false;
    }
    if (x->preflight) return true;
    const sdw_route *r = x->match.route;
    int flags = r ? r->flags : 0;
    if (flags & SDW_ROUTE_OPEN) return true;
    sdw_credential key = sdw_access_key(a, &x->head, (flags & SDW_ROUTE_TOKEN_QUERY) != 0, face_of(x) == SDW_FACE_SDAPI);
    if (key == SDW_CREDENTIAL_MISSING) sdw_refuse(x, 401, "MISSING_API_KEY", "Missing API key");
    if (key == SDW_CREDENTIAL_WRONG) sdw_refuse(x, 401, "INVALID_API_KEY", "Invalid or missing API key");
    return key == SDW_CREDENTIAL_OK;
}

static size_t body_limit(const sdw_exchange *x)
{
    const sdw_route *r = x->match.route;
    size_t limit = x->server->o.limits.body_max;
    bool small = !r || (r->flags & SDW_ROUTE_SMALL_BODY) || strcmp(r->method, "GET") == 0 || strcmp(r->method, "DELETE") == 0;
    return small && limit > SDW_HTTP_SMALL_BODY ? SDW_HTTP_SMALL_BODY : limit;
}

static bool guard_load(sdw_exchange *x)
{
    sdw_server *s = x->server;
    x->body_limit = body_limit(x);
    if (x->head.has_length && x->head.length > x->body_limit) {
        sdw_refuse_body(x);
        return false;
    }
    pthread_mutex_lock(&s->lock);
    bool last = x->conn->in_last_places;
    pthread_mutex_unlock(&s->lock);
    if (last && !(x->match.route && (x->match.route->flags & SDW_ROUTE_HEALTH))) {
        sdw_refuse(x, 503, NULL, "Too many connections");
        return false;
    }
    if (x->head.has_length && !sdw_body_reserve(x, (size_t)x->head.length)) return false;
    return true;
}

bool sdw_guard_head(sdw_exchange *x)
{
    sdw_route_find(x->server->o.routes, x->head.method, x->head.target.path, &x->match);
    if (!guard_access(x)) return false;
    if (x->preflight) {
        x->answer.status = 200;
        return false; /* nothing more to do, and the body, if any, is thrown away */
    }
    if (!x->match.route) {
        refuse_path(x);
        return false;
    }
    return guard_load(x);
}

/* ---- bodies ---- */

void sdw_refuse_body(sdw_exchange *x)
{
    char text[128];
    snprintf(text, sizeof text, "Failed to buffer the request body: length limit exceeded, want at most %zu bytes", x->body_limit);
    sdw_refuse(x, 413, NULL, text);
}

bool sdw_body_reserve(sdw_exchange *x, size_t more)
{
    sdw_server *s = x->server;
    if (more > s->o.limits.body_total_max - s->body_bytes) {
        sdw_refuse(x, 503, NULL, "Too many request bodies at once");
        return false;
    }
    s->body_bytes += more;
    x->body_counted += more;
    return true;
}
