/* refusal.c - see refusal.h. The order of the rows matters: an anonymous caller gets 401 for a repository that does not
 * exist, and the same 401 for a gated one says so in X-Error-Code. */
#include "hub/refusal.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "hub/address.h"

#define BAD_CREDENTIALS "Invalid credentials in Authorization header"

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

sdw_hub_kind sdw_hub_kind_of(const sdw_hub_answer *a)
{
    const sdw_hub_headers *h = &a->head;
    if (h->status < 400) return SDW_HUB_FINE;
    if (is(h->error_code, "RevisionNotFound")) return SDW_HUB_NO_REVISION;
    if (is(h->error_code, "EntryNotFound")) return SDW_HUB_NO_ENTRY;
    if (is(h->error_code, "GatedRepo")) return SDW_HUB_GATED;
    if (is(h->error_message, "Access to this resource is disabled.")) return SDW_HUB_DISABLED;
    if (is(h->error_code, "RepoNotFound")) return SDW_HUB_NO_REPOSITORY;
    if (h->status == 401) return is(h->error_message, BAD_CREDENTIALS) ? SDW_HUB_BAD_TOKEN : SDW_HUB_NO_REPOSITORY;
    if (h->status == 400) return SDW_HUB_BAD_REQUEST;
    if (h->status == 403) return SDW_HUB_FORBIDDEN;
    if (h->status == 429) return SDW_HUB_RATE_LIMITED;
    return h->status >= 500 ? SDW_HUB_SERVER_FAULT : SDW_HUB_OTHER;
}

/* First text of a string, or of a list of strings or of objects with "message". */
static const char *first_text(yyjson_val *v)
{
    if (yyjson_is_arr(v)) v = yyjson_arr_get_first(v);
    if (yyjson_is_obj(v)) v = yyjson_obj_get(v, "message");
    return yyjson_get_str(v);
}

static void put_printable(char *to, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) to[n++] = (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text;
    to[n] = '\0';
}

/* What the server says: X-Error-Message, else the JSON body, else a body of plain text. */
static void server_text(const sdw_hub_answer *a, char *ret, size_t size)
{
    static const char *const keys[] = { "error", "error_description", "errors", "message" };
    yyjson_doc *doc = NULL;
    const char *text = a->head.error_message[0] ? a->head.error_message : NULL;
    ret[0] = '\0';
    if (!text && a->text.size && sdw_json_parse(a->text.data, a->text.size, "answer", NULL, &doc, NULL) == SDW_OK)
        for (size_t i = 0; !text && i < sizeof keys / sizeof keys[0]; i++) text = first_text(yyjson_obj_get(yyjson_doc_get_root(doc), keys[i]));
    else if (!text && a->text.size && a->text.data[0] != '<') /* no page of HTML */
        text = a->text.data;
    if (text) put_printable(ret, size, text);
    yyjson_doc_free(doc);
}

/* ": server's words (request ID)", as far as they are there. */
static void put_tail(const sdw_hub_answer *a, char *ret, size_t size)
{
    char text[160];
    server_text(a, text, sizeof text);
    snprintf(ret, size, "%s%s%s%.64s%s", text[0] ? ": " : "", text, a->head.request_id[0] ? " (request " : "", a->head.request_id,
             a->head.request_id[0] ? ")" : "");
}

static sdw_status refuse_rate(const sdw_hub_answer *a, const char *shown, const char *tail, sdw_error *err)
{
    long long wait = (long long)sdw_hub_headers_wait_s(&a->head);
    if (wait < 0) return sdw_fail(err, SDW_BUSY, "%s: too many requests (429), try again later%s", shown, tail);
    return sdw_fail(err, SDW_BUSY, "%s: too many requests (429), try again in %lld s%s", shown, wait, tail);
}

/* A server that is no hub has no repositories to miss. */
static sdw_hub_kind kind_without_repository(const sdw_hub_answer *a)
{
    sdw_hub_kind kind = sdw_hub_kind_of(a);
    return kind == SDW_HUB_RATE_LIMITED || kind == SDW_HUB_SERVER_FAULT || kind == SDW_HUB_BAD_REQUEST ? kind : SDW_HUB_OTHER;
}

sdw_status sdw_hub_refuse(const sdw_hub_answer *a, const char *url, const sdw_hub_subject *about, sdw_error *err)
{
    char shown[140], tail[260];
    const char *id = about && about->id ? about->id : NULL, *file = about && about->file ? about->file : "";
    const char *revision = about && about->revision ? about->revision : "";
    sdw_hub_address_shown(url, shown, sizeof shown);
    put_tail(a, tail, sizeof tail);
    switch (id ? sdw_hub_kind_of(a) : kind_without_repository(a)) {
    case SDW_HUB_NO_REVISION: return sdw_fail(err, SDW_NOT_FOUND, "%s: no branch, tag or commit '%.60s'%s", id, revision, tail);
    case SDW_HUB_NO_ENTRY: return sdw_fail(err, SDW_NOT_FOUND, "%s: no file '%.120s' at revision %.60s%s", id, file, revision, tail);
    case SDW_HUB_GATED:
        return sdw_fail(err, SDW_NOT_FOUND, "%s is gated: accept the licence at https://huggingface.co/%s and set HF_TOKEN%s", id, id, tail);
    case SDW_HUB_DISABLED: return sdw_fail(err, SDW_NOT_FOUND, "%s: the hub has disabled this repository%s", id, tail);
    case SDW_HUB_NO_REPOSITORY:
        return sdw_fail(err, SDW_NOT_FOUND, "%s: this repository is missing, or it is private or gated and needs a token of an account that may read it (HF_TOKEN)%s",
                        id, tail);
    case SDW_HUB_BAD_TOKEN: return sdw_fail(err, SDW_INVALID, "the token (HF_TOKEN or the token file) is not valid, %s refuses it%s", shown, tail);
    case SDW_HUB_FORBIDDEN:
        return sdw_fail(err, SDW_NOT_FOUND, "%s: the token may not read this repository (403); a fine-grained token needs that permission%s", id, tail);
    case SDW_HUB_RATE_LIMITED: return refuse_rate(a, shown, tail, err);
    case SDW_HUB_BAD_REQUEST: return sdw_fail(err, SDW_INVALID, "%s: the server calls it a bad request (400)%s", shown, tail);
    case SDW_HUB_SERVER_FAULT: return sdw_fail(err, SDW_IO, "%s: the server has a fault (%d)%s", shown, a->head.status, tail);
    default: return sdw_fail(err, a->head.status == 404 ? SDW_NOT_FOUND : SDW_IO, "%s: the server answers %d%s", shown, a->head.status, tail);
    }
}
