/* address.c - see address.h. libcurl's own parser is asked, so that what we check is what is fetched. */
#include "hub/address.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hub/names.h"

typedef struct origin {
    char scheme[16], host[256], port[8];
} origin;

/* The part as text of our own storage; false if absent or too long. */
static bool part_of(CURLU *u, CURLUPart part, unsigned flags, char *to, size_t size)
{
    char *text = NULL;
    bool ok = curl_url_get(u, part, &text, flags) == CURLUE_OK && text && strlen(text) < size;
    if (ok) snprintf(to, size, "%s", text);
    curl_free(text);
    return ok;
}

static bool origin_of(const char *url, origin *ret)
{
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
              part_of(u, CURLUPART_SCHEME, 0, ret->scheme, sizeof ret->scheme) && part_of(u, CURLUPART_HOST, 0, ret->host, sizeof ret->host) &&
              part_of(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, ret->port, sizeof ret->port) &&
              (!strcasecmp(ret->scheme, "https") || !strcasecmp(ret->scheme, "http"));
    curl_url_cleanup(u);
    return ok;
}

bool sdw_hub_same_origin(const char *a, const char *b)
{
    origin x, y;
    return origin_of(a, &x) && origin_of(b, &y) && !strcasecmp(x.scheme, y.scheme) && !strcasecmp(x.host, y.host) && !strcmp(x.port, y.port);
}

bool sdw_hub_is_hub_host(const char *url, const char *endpoint)
{
    static const char *const hosts[] = { "huggingface.co", "hf.co", "www.huggingface.co", "hub-ci.huggingface.co" };
    origin o;
    if (!origin_of(url, &o)) return false;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (!strcasecmp(o.host, hosts[i]) && !strcasecmp(o.scheme, "https") && !strcmp(o.port, "443")) return true;
    return endpoint && sdw_hub_same_origin(url, endpoint);
}

/* scheme: or // at the front: another host may follow. */
static bool is_absolute(const char *location)
{
    size_t n = strcspn(location, ":/?#");
    return location[n] == ':' || !strncmp(location, "//", 2);
}

sdw_status sdw_hub_next_hop(const char *from, const char *location, sdw_hub_hop *ret, sdw_error *err)
{
    char shown[200];
    sdw_hub_hop hop = { .relative = !is_absolute(location) };
    origin before, after;
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, from, 0) == CURLUE_OK && curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK && part_of(u, CURLUPART_URL, 0, hop.url, sizeof hop.url);
    curl_url_cleanup(u);
    sdw_hub_address_shown(from, shown, sizeof shown);
    if (!ok || !origin_of(from, &before) || !origin_of(hop.url, &after))
        return sdw_fail(err, SDW_FORMAT, "%s: redirects to '%.100s', want an http or https address", shown, location);
    if (!strcasecmp(before.scheme, "https") && strcasecmp(after.scheme, "https") != 0)
        return sdw_fail(err, SDW_FORMAT, "%s: redirects from https to %s://%.100s, which is not followed", shown, after.scheme, after.host);
    *ret = hop;
    return SDW_OK;
}

sdw_status sdw_hub_address_file(const char *url, char *ret, size_t size, sdw_error *err)
{
    char path[SDW_HUB_URL_SIZE];
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && part_of(u, CURLUPART_PATH, 0, path, sizeof path);
    curl_url_cleanup(u);
    if (!ok) return sdw_fail(err, SDW_INVALID, "'%.200s' is no address, want https://HOST/FILE.safetensors", url);
    char *slash = strrchr(path, '/'), *name = NULL;
    int length = 0;
    name = curl_easy_unescape(NULL, slash ? slash + 1 : path, 0, &length);
    sdw_status s = name ? sdw_hub_check_basename(name, (size_t)length, err) : sdw_fail(err, SDW_NO_MEMORY, "address: no memory");
    if (s == SDW_OK && (size_t)length >= size) s = sdw_fail(err, SDW_LIMIT, "'%.200s': file name of %d bytes, want less than %zu", url, length, size);
    if (s == SDW_OK) snprintf(ret, size, "%s", name);
    curl_free(name);
    return s;
}

void sdw_hub_address_shown(const char *url, char *ret, size_t size)
{
    int n = (int)strcspn(url, "?#");
    snprintf(ret, size, "%.*s", n, url);
}
