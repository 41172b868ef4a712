/* settings.c - see settings.h. */
#include "hub/settings.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/mem.h"
#include "hub/cache.h"
#include "sdw/sdw.h"

#define TOKEN_MAX 4096
#define TIMEOUT_MAX 86400

typedef struct reader {
    sdw_hub_get_fn *get;
    void *ctx;
} reader;

static const char *from_environment(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* NULL also for an empty value. */
static const char *value(const reader *r, const char *name)
{
    const char *v = r->get(r->ctx, name);
    return v && *v ? v : NULL;
}

static bool is_on(const reader *r, const char *name)
{
    static const char *const words[] = { "1", "ON", "YES", "TRUE" };
    const char *v = value(r, name);
    for (size_t i = 0; v && i < sizeof words / sizeof words[0]; i++)
        if (!strcasecmp(v, words[i])) return true;
    return false;
}

static sdw_status seconds(const reader *r, const char *name, int fallback, int *ret, sdw_error *err)
{
    const char *v = value(r, name);
    char *end = NULL;
    double n = v ? strtod(v, &end) : fallback;
    if (v && (*end || !(n > 0 && n <= TIMEOUT_MAX)))
        return sdw_fail(err, SDW_INVALID, "%s: '%.40s' given, want seconds, up to %d", name, v, TIMEOUT_MAX);
    *ret = n < 1 ? 1 : (int)n;
    return SDW_OK;
}

/* ---- paths: "~" at the front, $NAME and ${NAME} anywhere ---- */

static void put_variable(const reader *r, sdw_buf *b, const char **at)
{
    static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    char name[128];
    bool braces = (*at)[1] == '{';
    const char *begin = *at + (braces ? 2 : 1);
    size_t n = strspn(begin, name_characters);
    const char *v = NULL;
    if (n && n < sizeof name && (!braces || begin[n] == '}')) {
        memcpy(name, begin, n);
        name[n] = '\0';
        v = r->get(r->ctx, name);
    }
    if (v) {
        sdw_buf_puts(b, v);
        *at = begin + n + (braces ? 1 : 0);
    } else { /* left as it is, as Python does */
        sdw_buf_append(b, (*at)++, 1);
    }
}

static bool home_folder(const reader *r, char ret[SDW_HUB_PATH_MAX])
{
    char text[4096];
    struct passwd entry, *found = NULL;
    const char *home = value(r, "HOME");
    if (!home && getpwuid_r(getuid(), &entry, text, sizeof text, &found) == 0 && found) home = found->pw_dir;
    return home && *home && sdw_hub_path(ret, NULL, "%s", home) == SDW_OK;
}

static sdw_status expand(const reader *r, const char *path, char **ret, sdw_error *err)
{
    sdw_buf b;
    char home[SDW_HUB_PATH_MAX];
    sdw_buf_init(&b, SDW_HUB_PATH_MAX);
    if (path[0] == '~' && (!path[1] || path[1] == '/')) {
        sdw_buf_puts(&b, home_folder(r, home) ? home : "/"); /* nobody's home: models given by path must still work */
        path++;
    }
    while (*path) {
        if (*path == '$') put_variable(r, &b, &path);
        else sdw_buf_append(&b, path++, 1);
    }
    while (b.size > 1 && b.data[b.size - 1] == '/') b.data[--b.size] = '\0';
    bool failed = b.failed || !b.size;
    *ret = failed ? NULL : sdw_buf_take(&b, NULL);
    sdw_buf_finish(&b);
    return failed ? sdw_fail(err, SDW_INVALID, "path '%.200s' is empty or too long", path) : SDW_OK;
}

/* "BASE/REST", expanded. */
static sdw_status joined(const reader *r, const char *base, const char *rest, char **ret, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_path(path, err, "%s/%s", base, rest);
    return s == SDW_OK ? expand(r, path, ret, err) : s;
}

static sdw_status read_places(const reader *r, sdw_hub_settings *s, char **ret_home, sdw_error *err)
{
    const char *home = value(r, "HF_HOME"), *xdg = value(r, "XDG_CACHE_HOME"), *cache = value(r, "HF_HUB_CACHE");
    sdw_status status = home ? expand(r, home, ret_home, err) : joined(r, xdg ? xdg : "~/.cache", "huggingface", ret_home, err);
    if (!cache) cache = value(r, "HUGGINGFACE_HUB_CACHE");
    if (status == SDW_OK) status = cache ? expand(r, cache, &s->cache, err) : joined(r, *ret_home, "hub", &s->cache, err);
    if (status == SDW_OK) status = expand(r, "~/.cache/rbee/models", &s->models, err);
    return status;
}

/* ---- token ---- */

/* Becomes a header line: printable, no blanks. The value is not repeated in the error. */
static sdw_status keep_token(sdw_hub_settings *s, const char *text, const char *from, sdw_error *err)
{
    const char *begin = text + strspn(text, " \t\r\n");
    size_t n = strcspn(begin, " \t\r\n");
    if (n == 0) return SDW_OK;
    bool good = n < TOKEN_MAX && !begin[n + strspn(begin + n, " \t\r\n")];
    for (size_t i = 0; i < n; i++) good = good && begin[i] > ' ' && begin[i] < 0x7f;
    if (!good) return sdw_fail(err, SDW_INVALID, "%s: does not hold a token, want one word of printable characters", from);
    s->token = sdw_strndup(begin, n);
    return s->token ? SDW_OK : sdw_fail_memory(err, "token", n);
}

static sdw_status read_token_file(sdw_hub_settings *s, const char *path, sdw_error *err)
{
    char text[TOKEN_MAX + 2] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? SDW_OK : sdw_fail(err, SDW_IO, "%s: cannot open: %s", path, strerror(errno));
    ssize_t n = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    sdw_status status = n < 0 ? sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(error)) : keep_token(s, text, path, err);
    explicit_bzero(text, sizeof text);
    return status;
}

static sdw_status read_token(const reader *r, sdw_hub_settings *s, const char *home, sdw_error *err)
{
    static const char *const names[] = { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" };
    char *path = NULL;
    sdw_status status = SDW_OK;
    if (is_on(r, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) return SDW_OK;
    for (size_t i = 0; status == SDW_OK && !s->token && i < sizeof names / sizeof names[0]; i++)
        if (value(r, names[i])) status = keep_token(s, value(r, names[i]), names[i], err);
    const char *credentials = value(r, "CREDENTIALS_DIRECTORY"), *given = value(r, "HF_TOKEN_PATH");
    if (status == SDW_OK && !s->token && credentials) status = joined(r, credentials, "hf_token", &path, err);
    if (status == SDW_OK && path) status = read_token_file(s, path, err);
    sdw_free(path);
    path = NULL;
    if (status == SDW_OK && !s->token) status = given ? expand(r, given, &path, err) : joined(r, home, "token", &path, err);
    if (status == SDW_OK && path) status = read_token_file(s, path, err);
    sdw_free(path);
    return status;
}

/* ---- addresses ---- */

static sdw_status read_endpoint(const reader *r, sdw_hub_settings *s, sdw_error *err)
{
    const char *v = value(r, "HF_ENDPOINT");
    if (!v) v = "https://huggingface.co";
    size_t n = strlen(v);
    while (n && v[n - 1] == '/') n--;
    if ((strncasecmp(v, "https://", 8) != 0 && strncasecmp(v, "http://", 7) != 0) || n < 9 || strpbrk(v, " \t\r\n?#"))
        return sdw_fail(err, SDW_INVALID, "HF_ENDPOINT: '%.200s' given, want https://HOST", v);
    s->endpoint = sdw_strndup(v, n);
    return s->endpoint ? SDW_OK : sdw_fail_memory(err, "endpoint", n);
}

static sdw_status copy_text(const char *text, char **ret, sdw_error *err)
{
    if (!text) return SDW_OK;
    *ret = sdw_strdup(text);
    return *ret ? SDW_OK : sdw_fail_memory(err, "settings", strlen(text));
}

static sdw_status read_agent(const reader *r, sdw_hub_settings *s, sdw_error *err)
{
    char agent[256];
    const char *origin = value(r, "HF_HUB_USER_AGENT_ORIGIN");
    bool quiet = is_on(r, "HF_HUB_DISABLE_TELEMETRY") || is_on(r, "DISABLE_TELEMETRY") || is_on(r, "DO_NOT_TRACK");
    if (origin && strpbrk(origin, "\r\n")) return sdw_fail(err, SDW_INVALID, "HF_HUB_USER_AGENT_ORIGIN: holds a line end");
    snprintf(agent, sizeof agent, "sdw/" SDW_VERSION "%s%.40s%s%.100s", quiet ? "" : "; libcurl/",
             quiet ? "" : curl_version_info(CURLVERSION_NOW)->version, origin ? "; origin/" : "", origin ? origin : "");
    return copy_text(agent, &s->agent, err);
}

static sdw_status read_transport(const reader *r, sdw_hub_settings *s, sdw_error *err)
{
    const char *ca = value(r, "SSL_CERT_FILE"), *proxy = value(r, "http_proxy") ? NULL : value(r, "HTTP_PROXY");
    if (value(r, "REQUEST_METHOD")) proxy = NULL; /* under CGI that variable is a header of a stranger's request */
    sdw_status status = copy_text(ca ? ca : value(r, "REQUESTS_CA_BUNDLE"), &s->ca_file, err);
    if (status == SDW_OK) status = copy_text(proxy, &s->http_proxy, err);
    if (status == SDW_OK) status = seconds(r, "HF_HUB_ETAG_TIMEOUT", 10, &s->head_timeout_s, err);
    if (status == SDW_OK) status = seconds(r, "HF_HUB_DOWNLOAD_TIMEOUT", 10, &s->stall_timeout_s, err);
    return status == SDW_OK ? read_agent(r, s, err) : status;
}

sdw_status sdw_hub_settings_read(sdw_hub_settings *ret, sdw_hub_get_fn *get, void *ctx, sdw_error *err)
{
    const reader r = { get ? get : from_environment, ctx };
    sdw_hub_settings s = { .parallel = SDW_HUB_PARALLEL };
    char *home = NULL;
    s.offline = is_on(&r, "HF_HUB_OFFLINE") || is_on(&r, "TRANSFORMERS_OFFLINE");
    s.no_symlinks = is_on(&r, "HF_HUB_DISABLE_SYMLINKS");
    s.no_bars = is_on(&r, "HF_HUB_DISABLE_PROGRESS_BARS");
    s.debug = is_on(&r, "HF_DEBUG");
    sdw_status status = read_endpoint(&r, &s, err);
    if (status == SDW_OK) status = read_places(&r, &s, &home, err);
    if (status == SDW_OK) status = read_token(&r, &s, home, err);
    if (status == SDW_OK) status = read_transport(&r, &s, err);
    sdw_free(home);
    if (status == SDW_OK) *ret = s;
    else sdw_hub_settings_finish(&s);
    return status;
}

void sdw_hub_settings_finish(sdw_hub_settings *s)
{
    if (s->token) explicit_bzero(s->token, strlen(s->token));
    char **const texts[] = { &s->endpoint, &s->cache, &s->models, &s->token, &s->ca_file, &s->http_proxy, &s->agent };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sdw_free(*texts[i]);
        *texts[i] = NULL;
    }
}
