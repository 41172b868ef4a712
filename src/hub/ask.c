/* ask.c - see ask.h. */
#include "hub/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/mem.h"
#include "hub/address.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define DOCUMENT_TIMEOUT_S 120
#define PAGES_MAX 1000
#define FILE_TEXT_MAX ((size_t)16 << 20) /* the largest shard index has 1 MB */

bool sdw_hub_is_passing(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

sdw_status sdw_hub_wait_for_retry(sdw_hub_client *c, const sdw_hub_answer *a, const char *what, int fallback_s, sdw_error *err)
{
    char sentence[320], shown[160];
    const sdw_hub_hooks *hooks = sdw_hub_client_hooks(c);
    int64_t wait = sdw_hub_is_passing(a->head.status) ? sdw_hub_headers_wait_s(&a->head) : -1;
    sdw_hub_address_shown(what, shown, sizeof shown);
    if (wait < 0) wait = fallback_s;
    if (wait > SDW_HUB_WAIT_MAX_S)
        return sdw_fail(err, SDW_BUSY, "%s: the server asks to wait %lld s, which is more than %d s", shown, (long long)wait, SDW_HUB_WAIT_MAX_S);
    if (a->head.status >= 400) snprintf(sentence, sizeof sentence, "%s: answer %d, asking again in %d s", shown, a->head.status, (int)wait);
    else snprintf(sentence, sizeof sentence, "%s: connection lost, asking again in %d s", shown, (int)wait);
    if (hooks && hooks->note && wait > 1) hooks->note(hooks->ctx, sentence);
    sdw_hub_wait(hooks, (unsigned)wait * 1000);
    return sdw_hub_cancelled(hooks) ? sdw_fail(err, SDW_CANCELLED, "%s: stopped", shown) : SDW_OK;
}

/* ---- redirects ---- */

static bool is_redirect(const sdw_hub_answer *a)
{
    int s = a->head.status;
    return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && a->head.location[0];
}

sdw_status sdw_hub_perform_following(sdw_hub_client *c, const sdw_hub_request *r, sdw_hub_follow follow, sdw_hub_answer *ret,
                                     char url[SDW_HUB_URL_SIZE], sdw_error *err)
{
    const char *endpoint = sdw_hub_client_settings(c)->endpoint;
    char shown[160];
    sdw_hub_hop hop;
    sdw_hub_request now = *r;
    now.url = url;
    if (r->url != url) snprintf(url, SDW_HUB_URL_SIZE, "%s", r->url);
    sdw_hub_address_shown(url, shown, sizeof shown);
    for (int hops = 0;; hops++) {
        sdw_status s = sdw_hub_perform(c, &now, ret, err);
        if (s != SDW_OK || !is_redirect(ret)) return s;
        s = sdw_hub_next_hop(url, ret->head.location, &hop, err);
        if (s != SDW_OK) return s;
        if (follow != SDW_HUB_FOLLOW_ALL && !hop.relative && !sdw_hub_is_hub_host(hop.url, endpoint)) {
            if (follow == SDW_HUB_FOLLOW_HUB) return SDW_OK;
            return sdw_fail(err, SDW_FORMAT, "%s: redirects to '%.160s', want an address of the hub", shown, hop.url);
        }
        if (hops == SDW_HUB_HOPS_MAX) return sdw_fail(err, SDW_FORMAT, "%s: more than %d redirects", shown, SDW_HUB_HOPS_MAX);
        memcpy(url, hop.url, sizeof hop.url);
    }
}

/* ---- retries ---- */

static sdw_status ask(const sdw_hub_ask *a, const sdw_hub_request *r, sdw_hub_follow follow, const sdw_hub_subject *about,
                      sdw_hub_answer *ret, sdw_error *err)
{
    static const int pauses_s[] = { 1, 2, 4, 8, 8 };
    char url[SDW_HUB_URL_SIZE];
    sdw_hub_kind kind = SDW_HUB_FINE;
    sdw_status s;
    for (int attempt = 0;; attempt++) {
        s = sdw_hub_perform_following(a->client, r, follow, ret, url, err);
        bool again = s == SDW_OK ? sdw_hub_is_passing(ret->head.status) : ret->lost;
        if (!again || attempt >= a->retries) break;
        s = sdw_hub_wait_for_retry(a->client, ret, r->url, pauses_s[attempt < 5 ? attempt : 4], err);
        if (s != SDW_OK) break;
    }
    if (s == SDW_OK) kind = sdw_hub_kind_of(ret);
    else if (ret->lost) kind = SDW_HUB_NO_NETWORK;
    else kind = SDW_HUB_OTHER;
    if (s == SDW_OK && kind != SDW_HUB_FINE) s = sdw_hub_refuse(ret, r->url, about, err);
    if (a->ret_kind) *a->ret_kind = kind;
    return s;
}

/* A JSON document of the API. *ret_answer holds the text. */
static sdw_status ask_document(const sdw_hub_ask *a, const char *url, const sdw_hub_subject *about, sdw_hub_answer *ret_answer,
                               sdw_error *err)
{
    const sdw_hub_request r = { .url = url, .text_max = DOCUMENT_MAX, .timeout_s = DOCUMENT_TIMEOUT_S };
    char shown[160];
    sdw_status s = ask(a, &r, SDW_HUB_FOLLOW_ONLY_HUB, about, ret_answer, err);
    if (s != SDW_OK || (ret_answer->head.status == 200 && ret_answer->text.size)) return s;
    sdw_hub_address_shown(url, shown, sizeof shown);
    return sdw_fail(err, SDW_FORMAT, "%s: answer %d with %zu bytes, want 200 and JSON", shown, ret_answer->head.status, ret_answer->text.size);
}

/* ---- addresses ---- */

/* ENDPOINT BEFORE a MIDDLE b AFTER; a keeps its '/', b loses it unless keep. */
typedef struct pieces {
    const char *before, *id, *middle, *revision, *after, *file;
} pieces;

static sdw_status build_url(const sdw_hub_settings *s, const pieces *p, char ret[SDW_HUB_URL_SIZE], sdw_error *err)
{
    sdw_buf b;
    sdw_buf_init(&b, SDW_HUB_URL_SIZE - 1);
    sdw_buf_puts(&b, s->endpoint);
    sdw_buf_puts(&b, p->before);
    sdw_hub_encode(&b, p->id, true);
    sdw_buf_puts(&b, p->middle);
    sdw_hub_encode(&b, p->revision, false);
    sdw_buf_puts(&b, p->after);
    sdw_hub_encode(&b, p->file, true);
    bool ok = !b.failed;
    if (ok) snprintf(ret, SDW_HUB_URL_SIZE, "%s", b.data);
    sdw_buf_finish(&b);
    return ok ? SDW_OK : sdw_fail(err, SDW_LIMIT, "%s: the address of '%.120s' is longer than %d bytes", p->id, p->file, SDW_HUB_URL_SIZE);
}

sdw_status sdw_hub_resolve_url(const sdw_hub_settings *s, const char *id, const char *revision, const char *file,
                               char ret[SDW_HUB_URL_SIZE], sdw_error *err)
{
    const pieces p = { "/", id, "/resolve/", revision, "/", file };
    return build_url(s, &p, ret, err);
}

/* ---- the questions ---- */

sdw_status sdw_hub_ask_commit(const sdw_hub_ask *a, const char *id, const char *revision, char ret_commit[SDW_HUB_COMMIT_SIZE],
                              sdw_error *err)
{
    char url[SDW_HUB_URL_SIZE];
    const pieces p = { "/api/models/", id, "/revision/", revision, "", "" };
    const sdw_hub_subject about = { id, revision, NULL };
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    sdw_hub_answer answer = { 0 };
    yyjson_doc *doc = NULL;
    sdw_status s = build_url(sdw_hub_client_settings(a->client), &p, url, err);
    if (s == SDW_OK) s = ask_document(a, url, &about, &answer, err);
    if (s == SDW_OK) s = sdw_json_parse(answer.text.data, answer.text.size, url, &limits, &doc, err);
    if (s == SDW_OK) {
        const char *sha = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "sha"));
        if (sha && sdw_hub_is_commit(sha)) snprintf(ret_commit, SDW_HUB_COMMIT_SIZE, "%s", sha);
        else s = sdw_fail(err, SDW_FORMAT, "%.200s: \"sha\" is '%.60s', want a commit of 40 hex digits", url, sha ? sha : "(absent)");
    }
    yyjson_doc_free(doc);
    sdw_hub_answer_finish(&answer);
    return s;
}

/* A mirror may hand out addresses of the hub that it mirrors: they become its own. */
static sdw_status take_next_page(const sdw_hub_settings *s, const char *next, char url[SDW_HUB_URL_SIZE], sdw_error *err)
{
    static const char hub[] = "https://huggingface.co/";
    char own[SDW_HUB_URL_SIZE];
    int n = -1;
    if (!strncmp(next, hub, sizeof hub - 1)) n = snprintf(own, sizeof own, "%s/%s", s->endpoint, next + sizeof hub - 1);
    else n = snprintf(own, sizeof own, "%s", next);
    if (n < 0 || (size_t)n >= sizeof own || !sdw_hub_is_hub_host(own, s->endpoint))
        return sdw_fail(err, SDW_FORMAT, "%.160s: its next page is '%.160s', want an address of the hub", url, next);
    if (!strcmp(own, url)) return sdw_fail(err, SDW_FORMAT, "%.200s: names itself as its next page", url);
    memcpy(url, own, sizeof own);
    return SDW_OK;
}

static sdw_status ask_pages(const sdw_hub_ask *a, const char *id, const char *commit, char url[SDW_HUB_URL_SIZE], sdw_hub_listing *l,
                            sdw_hub_answer *answer, sdw_error *err)
{
    const sdw_hub_subject about = { id, commit, NULL };
    for (int page = 0; page < PAGES_MAX; page++) {
        sdw_status s = ask_document(a, url, &about, answer, err);
        if (s == SDW_OK) s = sdw_hub_listing_add_tree(l, answer->text.data, answer->text.size, url, err);
        if (s != SDW_OK || !answer->head.next[0]) return s;
        s = take_next_page(sdw_hub_client_settings(a->client), answer->head.next, url, err);
        if (s != SDW_OK) return s;
    }
    return sdw_fail(err, SDW_LIMIT, "%s: more than %d pages of files", id, PAGES_MAX);
}

sdw_status sdw_hub_ask_tree(const sdw_hub_ask *a, const char *id, const char *commit, sdw_hub_listing *ret, sdw_error *err)
{
    char url[SDW_HUB_URL_SIZE];
    const pieces p = { "/api/models/", id, "/tree/", commit, "?recursive=true&expand=false", "" };
    sdw_hub_answer answer = { 0 };
    sdw_hub_listing l = { 0 };
    sdw_status s = build_url(sdw_hub_client_settings(a->client), &p, url, err);
    if (s == SDW_OK) s = ask_pages(a, id, commit, url, &l, &answer, err);
    if (s == SDW_OK) s = sdw_hub_listing_sort(&l, err);
    if (s == SDW_OK) *ret = l;
    else sdw_hub_listing_finish(&l);
    sdw_hub_answer_finish(&answer);
    return s;
}

static sdw_status read_metadata(const sdw_hub_headers *h, const char *shown, const char *commit, sdw_hub_metadata *ret, sdw_error *err)
{
    const char *etag = h->linked_etag[0] ? h->linked_etag : h->etag;
    bool has_size = h->has_linked_size || (h->has_length && h->status == 200);
    if (!h->has_commit)
        return sdw_fail(err, SDW_FORMAT, "%s: no X-Repo-Commit in the answer; this is not the hub, or a proxy is in the way", shown);
    if (strcmp(h->commit, commit) != 0)
        return sdw_fail(err, SDW_FORMAT, "%s: the answer is of commit %.50s, want %s", shown, h->commit, commit);
    if (!sdw_hub_is_hash(etag))
        return sdw_fail(err, SDW_FORMAT, "%s: entity tag '%.80s', want a SHA-256 or a git SHA-1 in hex", shown, etag);
    if (!has_size) return sdw_fail(err, SDW_FORMAT, "%s: the answer does not tell the file's size", shown);
    memcpy(ret->etag, etag, strlen(etag) + 1); /* a hash fits */
    ret->size = h->has_linked_size ? h->linked_size : h->length;
    return SDW_OK;
}

sdw_status sdw_hub_ask_metadata(const sdw_hub_ask *a, const char *id, const char *commit, const char *file,
                                sdw_hub_metadata *ret, sdw_error *err)
{
    char url[SDW_HUB_URL_SIZE], shown[160];
    const sdw_hub_subject about = { id, commit, file };
    sdw_hub_answer answer = { 0 };
    sdw_status s = sdw_hub_resolve_url(sdw_hub_client_settings(a->client), id, commit, file, url, err);
    if (s != SDW_OK) return s;
    const sdw_hub_request r = { .url = url, .head = true, .timeout_s = sdw_hub_client_settings(a->client)->head_timeout_s };
    sdw_hub_address_shown(url, shown, sizeof shown);
    s = ask(a, &r, SDW_HUB_FOLLOW_HUB, &about, &answer, err);
    if (s == SDW_OK) s = read_metadata(&answer.head, shown, commit, ret, err);
    sdw_hub_answer_finish(&answer);
    return s;
}

/* The bytes against their listed hash; without one there is nothing to compare. */
static sdw_status check_text(const sdw_buf *text, const sdw_hub_entry *e, const char *url, sdw_error *err)
{
    char hex[SDW_DIGEST_HEX_SIZE];
    sdw_digest *d = NULL;
    if (text->size != e->size) return sdw_fail(err, SDW_FORMAT, "%.200s: %zu bytes, want %" PRIu64, url, text->size, e->size);
    if (!e->hash[0]) return SDW_OK;
    sdw_status s = sdw_digest_open(strlen(e->hash) == 64 ? SDW_DIGEST_SHA256 : SDW_DIGEST_GIT_BLOB, e->size, &d, err);
    if (s == SDW_OK) s = sdw_digest_add(d, text->data, text->size, err);
    if (s == SDW_OK) s = sdw_digest_hex(d, hex, err);
    sdw_digest_close(d);
    if (s == SDW_OK && strcmp(hex, e->hash) != 0) return sdw_fail(err, SDW_FORMAT, "%.160s: its hash is %s, want %s", url, hex, e->hash);
    return s;
}

sdw_status sdw_hub_ask_text(const sdw_hub_ask *a, const char *id, const char *commit, const sdw_hub_entry *e, char **ret,
                            size_t *ret_size, sdw_error *err)
{
    char url[SDW_HUB_URL_SIZE];
    const sdw_hub_subject about = { id, commit, e->path };
    const sdw_hub_request r = { .url = url, .text_max = FILE_TEXT_MAX };
    sdw_hub_answer answer = { 0 };
    sdw_status s = sdw_hub_resolve_url(sdw_hub_client_settings(a->client), id, commit, e->path, url, err);
    if (s == SDW_OK) s = ask(a, &r, SDW_HUB_FOLLOW_ALL, &about, &answer, err);
    if (s == SDW_OK && answer.head.status != 200)
        s = sdw_fail(err, SDW_FORMAT, "%.200s: answer %d, want 200", url, answer.head.status);
    if (s == SDW_OK) s = check_text(&answer.text, e, url, err);
    if (s == SDW_OK) {
        *ret = sdw_buf_take(&answer.text, ret_size);
        if (!*ret) s = sdw_fail(err, SDW_FORMAT, "%.200s: is empty", url);
    }
    sdw_hub_answer_finish(&answer);
    return s;
}
