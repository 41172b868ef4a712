/* post.c - see post.h. */
#include "hub/post.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "core/status.h"

static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
    (void)data, (void)ctx;
    return size * count;
}

static sdw_status set_up(CURL *c, const char *url, const char *json, double timeout_s, char *why, sdw_error *err)
{
    CURLcode bad = CURLE_OK;
#define SET(option, value) if (bad == CURLE_OK) bad = curl_easy_setopt(c, option, value)
    SET(CURLOPT_ERRORBUFFER, why);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_URL, url);
    SET(CURLOPT_POSTFIELDS, json);
    SET(CURLOPT_TIMEOUT_MS, (long)(timeout_s * 1000));
    SET(CURLOPT_WRITEFUNCTION, drop);
#undef SET
    if (bad != CURLE_OK) return sdw_fail(err, SDW_INVALID, "%.200s: %s", url, curl_easy_strerror(bad));
    return SDW_OK;
}

sdw_status sdw_post_json(const char *url, const char *json, double timeout_s, sdw_post_answer *ret, sdw_error *err)
{
    char why[CURL_ERROR_SIZE] = "", *type = NULL;
    CURL *c = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    long code = 0;
    if (!c || !headers) {
        curl_easy_cleanup(c);
        curl_slist_free_all(headers);
        return sdw_fail(err, SDW_NO_MEMORY, "%.200s: no memory for a request", url);
    }
    sdw_status s = set_up(c, url, json, timeout_s, why, err);
    if (s == SDW_OK) {
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        CURLcode bad = curl_easy_perform(c);
        if (bad == CURLE_URL_MALFORMAT || bad == CURLE_UNSUPPORTED_PROTOCOL)
            s = sdw_fail(err, SDW_INVALID, "%.200s: want an http or https address", url);
        else if (bad != CURLE_OK) s = sdw_fail(err, SDW_IO, "%.200s: %.200s", url, why[0] ? why : curl_easy_strerror(bad));
    }
    if (s == SDW_OK) {
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
        ret->status = (int)code;
        ret->json = type && !strncasecmp(type, "application/json", 16);
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    return s;
}
