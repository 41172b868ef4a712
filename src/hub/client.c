/* client.c - see client.h. Silence is measured here and not by libcurl, whose speed is an average over seconds. */
#include "hub/client.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "core/mem.h"
#include "hub/address.h"

#define TEXT_MAX ((size_t)64 << 10)
#define HEADERS_MAX ((size_t)256 << 10) /* of one answer, all lines */
#define BUFFER_BYTES 524288L
#define TOPICS_MAX 8

struct sdw_hub_client {
    CURL *curl;                       /* owned; keeps connections open between requests */
    const sdw_hub_settings *settings; /* borrowed */
    const sdw_hub_hooks *hooks;       /* borrowed */
    /* The request being performed. */
    const sdw_hub_request *request;
    sdw_hub_answer *answer;
    sdw_error *err;
    sdw_status failed;                /* of a body function, or a limit of ours */
    size_t header_bytes;
    double last_byte;                 /* when something last arrived */
    curl_off_t last_count;
    bool stalled, cancelled;
    char fault[CURL_ERROR_SIZE];
    char topics[TOPICS_MAX][32];      /* of warnings that were told */
    int topic_count;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started; /* written once, under pthread_once */

static void start_curl(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

sdw_status sdw_hub_client_open(const sdw_hub_settings *settings, const sdw_hub_hooks *hooks, sdw_hub_client **ret,
                               sdw_error *err)
{
    pthread_once(&once, start_curl);
    sdw_hub_client *c = sdw_calloc(1, sizeof *c);
    if (!c) return sdw_fail_memory(err, "hub client", sizeof *c);
    c->settings = settings;
    c->hooks = hooks;
    c->curl = started ? curl_easy_init() : NULL;
    if (!c->curl) {
        sdw_hub_client_close(c);
        return sdw_fail(err, SDW_NO_MEMORY, "hub client: libcurl cannot be started");
    }
    *ret = c;
    return SDW_OK;
}

void sdw_hub_client_close(sdw_hub_client *c)
{
    if (!c) return;
    curl_easy_cleanup(c->curl);
    sdw_free(c);
}

const sdw_hub_settings *sdw_hub_client_settings(const sdw_hub_client *c)
{
    return c->settings;
}

const sdw_hub_hooks *sdw_hub_client_hooks(const sdw_hub_client *c)
{
    return c->hooks;
}

void sdw_hub_answer_finish(sdw_hub_answer *a)
{
    sdw_buf_finish(&a->text);
    memset(a, 0, sizeof *a);
}

void sdw_hub_client_warn(sdw_hub_client *c, const char *warning)
{
    char sentence[320];
    size_t n = strcspn(warning, ";");
    if (!warning[0] || c->topic_count == TOPICS_MAX) return;
    for (int i = 0; i < c->topic_count; i++)
        if (strlen(c->topics[i]) == n && !strncmp(c->topics[i], warning, n)) return;
    if (n >= sizeof c->topics[0]) n = sizeof c->topics[0] - 1;
    memcpy(c->topics[c->topic_count], warning, n);
    c->topics[c->topic_count++][n] = '\0';
    snprintf(sentence, sizeof sentence, "the hub says: %s", warning);
    if (c->hooks && c->hooks->warn) c->hooks->warn(c->hooks->ctx, sentence);
}

/* ---- what libcurl calls ---- */

static size_t on_header(char *line, size_t one, size_t length, void *ctx)
{
    sdw_hub_client *c = ctx;
    (void)one;
    c->header_bytes += length;
    if (c->header_bytes > HEADERS_MAX) {
        c->failed = sdw_fail(c->err, SDW_LIMIT, "%.200s: more than %zu bytes of header lines", c->request->url, HEADERS_MAX);
        return 0;
    }
    sdw_hub_headers_line(&c->answer->head, line, length);
    return length;
}

/* Bodies of refusals are kept as far as there is room; documents must fit. */
static size_t keep_text(sdw_hub_client *c, const char *data, size_t length)
{
    sdw_buf *b = &c->answer->text;
    size_t room = b->max - b->size;
    bool document = c->answer->head.status == 200;
    if (length > room && document) {
        c->failed = sdw_fail(c->err, SDW_LIMIT, "%.200s: the answer has more than %zu bytes", c->request->url, b->max);
        return 0;
    }
    sdw_buf_append(b, data, length < room ? length : room);
    if (!b->failed) return length;
    c->failed = sdw_fail_memory(c->err, "answer", length);
    return 0;
}

static size_t on_body(char *data, size_t one, size_t length, void *ctx)
{
    sdw_hub_client *c = ctx;
    const sdw_hub_headers *head = &c->answer->head;
    (void)one;
    if (!c->request->body || (head->status != 200 && head->status != 206)) return keep_text(c, data, length);
    if (head->encoding[0] && strcasecmp(head->encoding, "identity") != 0)
        c->failed = sdw_fail(c->err, SDW_FORMAT, "%.200s: comes with Content-Encoding %s, which was not asked for", c->request->url, head->encoding);
    else
        c->failed = c->request->body(c->request->ctx, head, data, length, c->err);
    return c->failed == SDW_OK ? length : 0;
}

/* Called with every piece and about once a second in silence; not 0 ends the transfer. */
static int on_progress(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    sdw_hub_client *c = ctx;
    (void)total;
    (void)up_total;
    (void)up_now;
    double time = sdw_hub_now();
    if (now != c->last_count) {
        c->last_count = now;
        c->last_byte = time;
    }
    c->stalled = time - c->last_byte > c->settings->stall_timeout_s + (c->last_count ? 0 : c->settings->stall_timeout_s);
    c->cancelled = sdw_hub_cancelled(c->hooks);
    return c->stalled || c->cancelled;
}

/* ---- one request ---- */

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer) *list = longer;
    return longer != NULL;
}

/* A random version 4 UUID: a name for this request in the server's logs. */
static bool add_trace_id(struct curl_slist **list)
{
    unsigned char b[16] = { 0 };
    char line[80];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) return true; /* does without */
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(line, sizeof line, "X-Amzn-Trace-Id: %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return add_header(list, line);
}

static bool add_token(const sdw_hub_client *c, struct curl_slist **list)
{
    const char *token = c->settings->token;
    if (!token || !sdw_hub_same_origin(c->request->url, c->settings->endpoint)) return true;
    size_t size = strlen(token) + sizeof "Authorization: Bearer ";
    char *line = sdw_malloc(size);
    if (!line) return false;
    snprintf(line, size, "Authorization: Bearer %s", token);
    bool ok = add_header(list, line);
    explicit_bzero(line, size);
    sdw_free(line);
    return ok;
}

static bool add_if_range(const sdw_hub_request *r, struct curl_slist **list)
{
    char line[300];
    if (!r->ranged || !r->if_range || !r->if_range[0]) return true;
    snprintf(line, sizeof line, "If-Range: \"%s\"", r->if_range);
    return add_header(list, line);
}

static void set_options(sdw_hub_client *c, struct curl_slist *headers)
{
    CURL *h = c->curl;
    const sdw_hub_request *r = c->request;
    const sdw_hub_settings *s = c->settings;
    char range[32];
    curl_easy_reset(h); /* keeps open connections */
    curl_easy_setopt(h, CURLOPT_URL, r->url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_NOBODY, r->head ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_USERAGENT, s->agent);
    curl_easy_setopt(h, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)s->stall_timeout_s);
    curl_easy_setopt(h, CURLOPT_TIMEOUT, (long)r->timeout_s);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->fault);
    if (s->ca_file) curl_easy_setopt(h, CURLOPT_CAINFO, s->ca_file);
    if (s->http_proxy && !strncasecmp(r->url, "http://", 7)) curl_easy_setopt(h, CURLOPT_PROXY, s->http_proxy);
    if (!r->ranged) return;
    snprintf(range, sizeof range, "%" PRIu64 "-", r->from);
    curl_easy_setopt(h, CURLOPT_RANGE, range);
}

/* As a person could repeat it, but for the token. */
static void tell(const sdw_hub_client *c)
{
    char line[700], range[64] = "";
    if (!c->settings->debug || !c->hooks || !c->hooks->note) return;
    bool token = c->settings->token && sdw_hub_same_origin(c->request->url, c->settings->endpoint);
    if (c->request->ranged) snprintf(range, sizeof range, " -H 'Range: bytes=%" PRIu64 "-'", c->request->from);
    snprintf(line, sizeof line, "curl%s%s%s '%.500s'", c->request->head ? " -I" : "", token ? " -H 'Authorization: Bearer ***'" : "", range,
             c->request->url);
    c->hooks->note(c->hooks->ctx, line);
}

static sdw_status explain(const sdw_hub_client *c, CURLcode code, sdw_error *err)
{
    char shown[160];
    sdw_hub_address_shown(c->request->url, shown, sizeof shown);
    if (c->cancelled) return sdw_fail(err, SDW_CANCELLED, "%s: stopped", shown);
    if (c->failed != SDW_OK) return c->failed; /* its message is already there */
    if (c->stalled) return sdw_fail(err, SDW_IO, "%s: nothing came for %d s", shown, c->settings->stall_timeout_s);
    return sdw_fail(err, SDW_IO, "%s: %.250s", shown, c->fault[0] ? c->fault : curl_easy_strerror(code));
}

/* A certificate that is refused, or an address that is none, will be so again. */
static bool may_help_to_repeat(const sdw_hub_client *c, CURLcode code)
{
    return !c->cancelled && c->failed == SDW_OK && code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE &&
           code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL && code != CURLE_OUT_OF_MEMORY;
}

sdw_status sdw_hub_perform(sdw_hub_client *c, const sdw_hub_request *r, sdw_hub_answer *ret, sdw_error *err)
{
    struct curl_slist *headers = NULL;
    sdw_hub_answer_finish(ret);
    sdw_hub_headers_clear(&ret->head);
    sdw_buf_init(&ret->text, r->text_max ? r->text_max : TEXT_MAX);
    c->request = r;
    c->answer = ret;
    c->err = err;
    c->failed = SDW_OK;
    c->header_bytes = 0;
    c->last_byte = sdw_hub_now();
    c->last_count = 0;
    c->stalled = c->cancelled = false;
    c->fault[0] = '\0';
    bool ok = add_header(&headers, "Accept-Encoding: identity") && add_trace_id(&headers) && add_token(c, &headers) && add_if_range(r, &headers);
    sdw_status s = ok ? SDW_OK : sdw_fail_memory(err, "request", 256);
    if (ok) {
        set_options(c, headers);
        tell(c);
        CURLcode code = curl_easy_perform(c->curl);
        if (code != CURLE_OK) {
            s = explain(c, code, err);
            ret->lost = may_help_to_repeat(c, code);
        }
    }
    curl_slist_free_all(headers);
    if (s == SDW_OK) sdw_hub_client_warn(c, ret->head.warning);
    return s;
}
