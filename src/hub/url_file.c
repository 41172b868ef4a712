/* url_file.c - see url_file.h. */
#include "hub/url_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"
#include "core/sha256.h"
#include "hub/address.h"
#include "hub/fetch.h"
#include "hub/folders.h"
#include "hub/lock.h"
#include "hub/pull_file.h"
#include "hub/rate.h"

#define TELL_S 0.1

typedef struct job {
    const sdw_hub_url_wish *wish;
    const sdw_hub_hooks *hooks;
    char target[SDW_HUB_PATH_MAX], partial[SDW_HUB_PATH_MAX], beside[SDW_HUB_PATH_MAX], lock_path[SDW_HUB_PATH_MAX];
    char name[SDW_HUB_FILE_SIZE];
    char etag[256];           /* of what the partial file began with; "" = not known */
    uint64_t size;            /* of the whole; UINT64_MAX = not known */
    uint64_t fetched;
    sdw_hub_rate rate;
    double told;
} job;

/* ---- names ---- */

static sdw_status check_wish(const sdw_hub_url_wish *w, sdw_error *err)
{
    size_t n = w->sha256 ? strlen(w->sha256) : 0;
    if (w->sha256 && (n != 64 || strspn(w->sha256, "0123456789abcdef") != n))
        return sdw_fail_field(err, SDW_INVALID, "sha256", "sha256: '%.80s' given, want 64 lower-case hex digits", w->sha256);
    if (!strncasecmp(w->url, "https://", 8) || !strncasecmp(w->url, "http://", 7)) return SDW_OK;
    return sdw_fail(err, SDW_INVALID, "'%.200s' is no address, want https://HOST/FILE.safetensors", w->url);
}

static sdw_status name_files(job *j, const sdw_hub_settings *settings, sdw_error *err)
{
    sdw_status s = sdw_hub_address_file(j->wish->url, j->name, sizeof j->name, err);
    if (s != SDW_OK && !j->wish->output) return s;
    if (j->wish->output) s = sdw_hub_path(j->target, err, "%s", j->wish->output);
    else s = sdw_hub_path(j->target, err, "%s/%s", settings->models, j->name);
    if (s != SDW_OK) return s;
    const char *slash = strrchr(j->target, '/'), *file = slash ? slash + 1 : j->target;
    size_t n = strlen(file);
    if (n <= 12 || strcasecmp(file + n - 12, ".safetensors") != 0)
        return sdw_fail(err, SDW_INVALID, "'%.200s': want a name that ends in .safetensors (pickles such as .ckpt may run code; they are not fetched)",
                        file);
    s = sdw_hub_path(j->partial, err, "%s.sdw.incomplete", j->target);
    if (s == SDW_OK) s = sdw_hub_path(j->beside, err, "%s.sdw.json", j->target);
    if (s == SDW_OK) s = sdw_hub_path(j->lock_path, err, "%s.sdw.lock", j->target);
    return s;
}

/* ---- the file beside a partial one ---- */

/* Whatever does not fit means: begin anew. */
static void read_beside(job *j)
{
    yyjson_doc *doc = NULL;
    const sdw_json_limits limits = { .bytes_max = 65536, .top = SDW_JSON_OBJECT };
    if (sdw_json_read_file(j->beside, &limits, &doc, NULL) != SDW_OK) return;
    yyjson_val *root = yyjson_doc_get_root(doc), *size = yyjson_obj_get(root, "size");
    const char *etag = yyjson_get_str(yyjson_obj_get(root, "etag"));
    if (yyjson_equals_str(yyjson_obj_get(root, "url"), j->wish->url)) {
        if (etag && strlen(etag) < sizeof j->etag && !strpbrk(etag, "\"\r\n")) snprintf(j->etag, sizeof j->etag, "%s", etag);
        if (yyjson_is_uint(size)) j->size = yyjson_get_uint(size);
    } else {
        unlink(j->partial); /* of another file */
    }
    yyjson_doc_free(doc);
}

static void put_text(sdw_buf *b, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') sdw_buf_printf(b, "\\%c", *c);
        else if (*c < ' ') sdw_buf_printf(b, "\\u%04x", *c);
        else sdw_buf_append(b, c, 1);
    }
}

static sdw_status write_beside(const job *j, sdw_error *err)
{
    sdw_buf b;
    sdw_buf_init(&b, 65536);
    sdw_buf_puts(&b, "{\"url\":\"");
    put_text(&b, j->wish->url);
    sdw_buf_puts(&b, "\",\"etag\":\"");
    put_text(&b, j->etag);
    sdw_buf_puts(&b, "\"");
    if (j->size != UINT64_MAX) sdw_buf_printf(&b, ",\"size\":%" PRIu64, j->size);
    sdw_buf_puts(&b, "}\n");
    sdw_status s = b.failed ? sdw_fail(err, SDW_LIMIT, "%.200s: the address is too long", j->wish->url) : sdw_hub_write_file(j->beside, b.data, b.size, err);
    sdw_buf_finish(&b);
    return s;
}

/* The file comes from its start: remember what it is. */
static sdw_status on_begin(void *ctx, const sdw_hub_headers *head, sdw_error *err)
{
    job *j = ctx;
    snprintf(j->etag, sizeof j->etag, "%s", head->weak_etag ? "" : head->etag);
    j->size = head->has_length ? head->length : UINT64_MAX;
    if (head->has_length) {
        sdw_status s = sdw_hub_check_space(j->target, head->length, err);
        if (s != SDW_OK) return s;
    }
    return write_beside(j, err);
}

/* ---- progress ---- */

static void on_moved(void *ctx, uint64_t there, uint64_t fetched)
{
    job *j = ctx;
    sdw_hub_progress p = { .name = j->wish->url, .file = j->name, .files = 1, .bytes = j->size == UINT64_MAX ? 0 : j->size,
                           .bytes_done = there };
    j->fetched += fetched;
    p.bytes_fetched = j->fetched;
    p.files_done = there == j->size;
    double now = sdw_hub_now();
    if (!j->hooks || !j->hooks->progress || (now - j->told < TELL_S && !p.files_done)) return;
    j->told = now;
    sdw_hub_rate_fill(&j->rate, &p);
    j->hooks->progress(j->hooks->ctx, &p);
}

/* ---- the whole ---- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A file that is there already: fine if it is the wanted one. */
static sdw_status judge_existing(const job *j, char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_status s = j->wish->sha256 ? sdw_sha256_file(j->target, ret_hash, err) : SDW_OK;
    if (s != SDW_OK) return s;
    if (!j->wish->sha256) return sdw_fail(err, SDW_EXISTS, "%s: is there already; give --sha256 to check it, or another --output", j->target);
    if (!strcmp(ret_hash, j->wish->sha256)) return SDW_OK;
    return sdw_fail(err, SDW_EXISTS, "%s: is there already with the SHA-256 %s, want %s; it is not overwritten", j->target, ret_hash, j->wish->sha256);
}

/* Gives the partial file its name unless that is taken meanwhile. */
static sdw_status put_in_place(const job *j, sdw_error *err)
{
    if (link(j->partial, j->target) == 0) {
        unlink(j->partial);
    } else if (errno == EEXIST) {
        return sdw_fail(err, SDW_EXISTS, "%s: is there already; it is not overwritten", j->target);
    } else if (rename(j->partial, j->target) != 0) { /* a file system without hard links */
        return sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", j->target, strerror(errno));
    }
    unlink(j->beside);
    return SDW_OK;
}

static sdw_status fetch(job *j, const sdw_hub_settings *settings, char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_hub_client *client = NULL;
    j->size = UINT64_MAX;
    read_beside(j);
    /* The size of last time only counts for a file that is whole already: the server may have another one now. */
    bool whole = j->size != UINT64_MAX && sdw_hub_file_bytes(j->partial) == j->size;
    const sdw_hub_fetch f = { .url = j->wish->url, .partial = j->partial, .shown = j->name, .size = whole ? j->size : UINT64_MAX,
                              .hash = j->wish->sha256, .if_range = j->etag, .moved = on_moved, .begin = on_begin, .ctx = j };
    sdw_status s = sdw_hub_make_parents(j->target, err);
    if (s == SDW_OK) s = sdw_hub_client_open(settings, j->hooks, &client, err);
    if (s == SDW_OK) s = sdw_hub_fetch_file(client, &f, ret_hash, err);
    sdw_hub_client_close(client);
    if (s == SDW_OK && (s = sdw_hub_check_weights(j->partial, j->name, err)) != SDW_OK) unlink(j->partial);
    if (s == SDW_OK) s = put_in_place(j, err);
    if (!is_there(j->partial)) unlink(j->beside);
    return s;
}

static sdw_status run(job *j, const sdw_hub_settings *settings, char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_hub_lock lock;
    if (is_there(j->target)) return judge_existing(j, ret_hash, err);
    if (settings->offline) return sdw_fail(err, SDW_NOT_FOUND, "%s is not there, and HF_HUB_OFFLINE forbids fetching it", j->target);
    sdw_status s = sdw_hub_lock_take(j->lock_path, j->name, j->hooks, &lock, err);
    if (s != SDW_OK) return s;
    if (!lock.effective) s = sdw_hub_path(j->partial, err, "%s.%ld.sdw.incomplete", j->target, (long)getpid());
    if (s == SDW_OK) s = is_there(j->target) ? judge_existing(j, ret_hash, err) : fetch(j, settings, ret_hash, err);
    unlink(j->lock_path); /* while it is held: whoever waits for it looks again */
    sdw_hub_lock_release(&lock);
    return s;
}

sdw_status sdw_hub_pull_url(const sdw_hub_settings *settings, const sdw_hub_url_wish *w, const sdw_hub_hooks *hooks,
                            char ret_path[SDW_HUB_PATH_MAX], char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    job j = { .wish = w, .hooks = hooks };
    sdw_hub_rate_init(&j.rate);
    sdw_status s = check_wish(w, err);
    if (s == SDW_OK) s = name_files(&j, settings, err);
    if (s == SDW_OK) s = run(&j, settings, ret_hash, err);
    if (s == SDW_OK) memcpy(ret_path, j.target, sizeof j.target);
    return s;
}
