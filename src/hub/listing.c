/* listing.c - see listing.h. Everything read here came from a server or from a file that others write. */
#include "hub/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define TREE_BYTES_MAX ((size_t)64 << 20)

void sdw_hub_listing_finish(sdw_hub_listing *l)
{
    for (size_t i = 0; i < l->count; i++) sdw_free(l->entries[i].path);
    sdw_free(l->entries);
    *l = (sdw_hub_listing){ 0 };
}

static sdw_status grow(sdw_hub_listing *l, sdw_error *err)
{
    if (l->count >= SDW_HUB_LISTING_MAX)
        return sdw_fail(err, SDW_LIMIT, "listing: more than %d files", SDW_HUB_LISTING_MAX);
    if (l->count < l->capacity) return SDW_OK;
    size_t more = l->capacity ? l->capacity * 2 : 64;
    sdw_hub_entry *entries = sdw_realloc(l->entries, more * sizeof *entries);
    if (!entries) return sdw_fail_memory(err, "listing", more * sizeof *entries);
    l->entries = entries;
    l->capacity = more;
    return SDW_OK;
}

sdw_status sdw_hub_listing_add(sdw_hub_listing *l, const char *path, size_t path_length, uint64_t size, const char *hash,
                               const char *git_oid, sdw_error *err)
{
    sdw_status s = sdw_hub_check_file(path, path_length, err);
    if (s == SDW_OK) s = grow(l, err);
    if (s != SDW_OK) return s;
    sdw_hub_entry *e = &l->entries[l->count];
    *e = (sdw_hub_entry){ .path = sdw_strndup(path, path_length), .size = size };
    if (!e->path) return sdw_fail_memory(err, "listing", path_length + 1);
    if (hash && sdw_hub_is_hash(hash)) snprintf(e->hash, sizeof e->hash, "%s", hash);
    if (git_oid && sdw_hub_is_commit(git_oid)) snprintf(e->git_oid, sizeof e->git_oid, "%s", git_oid);
    l->count++;
    return SDW_OK;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const sdw_hub_entry *)a)->path, ((const sdw_hub_entry *)b)->path);
}

sdw_status sdw_hub_listing_sort(sdw_hub_listing *l, sdw_error *err)
{
    if (l->count) qsort(l->entries, l->count, sizeof *l->entries, compare_entries);
    for (size_t i = 1; i < l->count; i++)
        if (!strcmp(l->entries[i - 1].path, l->entries[i].path))
            return sdw_fail(err, SDW_FORMAT, "listing: '%.200s' stands twice, want each file once", l->entries[i].path);
    return SDW_OK;
}

const sdw_hub_entry *sdw_hub_listing_find(const sdw_hub_listing *l, const char *path)
{
    const sdw_hub_entry key = { .path = (char *)(uintptr_t)path };
    return l->count ? bsearch(&key, l->entries, l->count, sizeof *l->entries, compare_entries) : NULL;
}

/* ---- JSON ---- */

/* A file in one of three dialects: the keys differ, the meaning does not. */
typedef struct dialect {
    const char *size, *oid, *lfs_hash, *lfs_size;
} dialect;

static const dialect tree_dialect = { "size", "oid", "oid", "size" };
static const dialect sibling_dialect = { "size", "blobId", "sha256", "size" };

static sdw_status add_file(sdw_hub_listing *l, yyjson_val *path, yyjson_val *size, yyjson_val *oid, yyjson_val *lfs_hash,
                           const char *what, sdw_error *err)
{
    const char *text = yyjson_get_str(path);
    if (!text) return sdw_fail(err, SDW_FORMAT, "%s: a file without a path, want a string", what);
    sdw_status s = sdw_hub_check_file(text, yyjson_get_len(path), err);
    if (s != SDW_OK) return s;
    if (size && !yyjson_is_uint(size)) return sdw_fail(err, SDW_FORMAT, "%s: %.200s: its size is no whole number", what, text);
    const char *git = yyjson_get_str(oid), *sha256 = yyjson_get_str(lfs_hash);
    if (lfs_hash && (!sha256 || !sdw_hub_is_hash(sha256) || strlen(sha256) != 64))
        return sdw_fail(err, SDW_FORMAT, "%s: %.200s: LFS hash '%.80s', want 64 hex digits", what, text, sha256 ? sha256 : "(none)");
    return sdw_hub_listing_add(l, text, yyjson_get_len(path), yyjson_get_uint(size), sha256 ? sha256 : git, git, err);
}

/* Of the entry that was added last. What is no hash is left out: the Python library would refuse the whole listing. */
static void keep_xet_hash(sdw_hub_listing *l, yyjson_val *hash)
{
    const char *text = yyjson_get_str(hash);
    if (text && strlen(text) == 64 && sdw_hub_is_hash(text)) memcpy(l->entries[l->count - 1].xet_hash, text, 65);
}

static sdw_status add_object(sdw_hub_listing *l, yyjson_val *path, yyjson_val *object, const dialect *d, const char *what,
                             sdw_error *err)
{
    yyjson_val *lfs = yyjson_obj_get(object, "lfs"), *size = yyjson_obj_get(object, d->size), *hash = NULL;
    if (yyjson_is_obj(lfs)) {
        hash = yyjson_obj_get(lfs, d->lfs_hash);
        if (!size) size = yyjson_obj_get(lfs, d->lfs_size);
        if (!hash) return sdw_fail(err, SDW_FORMAT, "%s: \"lfs\" of a file without \"%s\"", what, d->lfs_hash);
    }
    sdw_status s = add_file(l, path, size, yyjson_obj_get(object, d->oid), hash, what, err);
    if (s == SDW_OK) keep_xet_hash(l, yyjson_obj_get(object, "xetHash"));
    return s;
}

sdw_status sdw_hub_listing_add_tree(sdw_hub_listing *l, const char *text, size_t size, const char *what, sdw_error *err)
{
    const sdw_json_limits limits = { .bytes_max = TREE_BYTES_MAX, .top = SDW_JSON_ARRAY };
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_json_parse(text, size, what, &limits, &doc, err);
    if (s != SDW_OK) return s;
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    for (yyjson_val *item; s == SDW_OK && (item = yyjson_arr_iter_next(&it));) {
        const char *type = yyjson_get_str(yyjson_obj_get(item, "type"));
        if (!type) s = sdw_fail(err, SDW_FORMAT, "%s: an entry without a type, want \"file\" or \"directory\"", what);
        else if (!strcmp(type, "file")) s = add_object(l, yyjson_obj_get(item, "path"), item, &tree_dialect, what, err);
    }
    yyjson_doc_free(doc);
    return s;
}

sdw_status sdw_hub_listing_add_siblings(sdw_hub_listing *l, yyjson_val *siblings, const char *what, sdw_error *err)
{
    sdw_status s = SDW_OK;
    if (!yyjson_is_arr(siblings)) return sdw_fail(err, SDW_FORMAT, "%s: no list \"siblings\"", what);
    yyjson_arr_iter it = yyjson_arr_iter_with(siblings);
    for (yyjson_val *item; s == SDW_OK && (item = yyjson_arr_iter_next(&it));)
        s = add_object(l, yyjson_obj_get(item, "rfilename"), item, &sibling_dialect, what, err);
    return s;
}

/* ---- trees/COMMIT.json ---- */

static sdw_status read_files(sdw_hub_listing *l, yyjson_val *root, const char *path, sdw_error *err)
{
    yyjson_val *version = yyjson_obj_get(root, "format_version"), *files = yyjson_obj_get(root, "files");
    sdw_status s = SDW_OK;
    if (!yyjson_is_int(version) || yyjson_get_int(version) != 1)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: \"format_version\" is not 1", path);
    if (!yyjson_is_obj(files)) return sdw_fail(err, SDW_FORMAT, "%s: no object \"files\"", path);
    yyjson_obj_iter it = yyjson_obj_iter_with(files);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *v = yyjson_obj_iter_get_val(key), *hash = yyjson_obj_get(v, "lfs_sha256");
        yyjson_val *size = hash ? yyjson_obj_get(v, "lfs_size") : NULL;
        s = add_file(l, key, size ? size : yyjson_obj_get(v, "size"), yyjson_obj_get(v, "blob_id"), yyjson_is_null(hash) ? NULL : hash,
                     path, err);
        if (s == SDW_OK) keep_xet_hash(l, yyjson_obj_get(v, "xet_hash"));
    }
    return s;
}

sdw_status sdw_hub_listing_read_file(sdw_hub_listing *l, const char *path, sdw_error *err)
{
    const sdw_json_limits limits = { .bytes_max = TREE_BYTES_MAX, .top = SDW_JSON_OBJECT };
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_json_read_file(path, &limits, &doc, err);
    if (s == SDW_OK) s = read_files(l, yyjson_doc_get_root(doc), path, err);
    yyjson_doc_free(doc);
    return s == SDW_OK ? sdw_hub_listing_sort(l, err) : s;
}

static void put_text(sdw_buf *b, const char *text)
{
    sdw_buf_puts(b, "\"");
    for (const char *c = text; *c; c++) { /* checked paths hold no control characters */
        if (*c == '"' || *c == '\\') sdw_buf_puts(b, "\\");
        sdw_buf_append(b, c, 1);
    }
    sdw_buf_puts(b, "\"");
}

static void put_entry(sdw_buf *b, const sdw_hub_entry *e)
{
    put_text(b, e->path);
    sdw_buf_printf(b, ":{\"size\":%" PRIu64 ",\"blob_id\":\"%s\"", e->size, e->git_oid);
    if (strlen(e->hash) == 64) sdw_buf_printf(b, ",\"lfs_sha256\":\"%s\",\"lfs_size\":%" PRIu64, e->hash, e->size);
    if (e->xet_hash[0]) sdw_buf_printf(b, ",\"xet_hash\":\"%s\"", e->xet_hash);
    sdw_buf_puts(b, "}");
}

sdw_status sdw_hub_listing_write(const sdw_hub_listing *l, char **ret, size_t *ret_size, sdw_error *err)
{
    sdw_buf b;
    sdw_buf_init(&b, TREE_BYTES_MAX);
    sdw_buf_puts(&b, "{\"format_version\":1,\"files\":{");
    for (size_t i = 0; i < l->count; i++) {
        if (i) sdw_buf_puts(&b, ",");
        put_entry(&b, &l->entries[i]);
    }
    sdw_buf_puts(&b, "}}");
    bool failed = b.failed;
    char *text = sdw_buf_take(&b, ret_size);
    sdw_buf_finish(&b);
    if (failed || !text) return sdw_fail_memory(err, "listing", TREE_BYTES_MAX);
    *ret = text;
    return SDW_OK;
}
