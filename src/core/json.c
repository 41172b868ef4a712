/* json.c - yyjson behind guards.
 * yyjson itself accepts duplicate keys (the first one wins in lookups, which other readers decide otherwise) and any
 * depth; both are refused here, the depth before parsing, so that readers may recurse without counting. */
#include "core/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/mem.h"

/* Objects up to this size are checked pair by pair, larger ones by sorting. */
#define SMALL_OBJECT 12

static void *alc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return sdw_malloc(size);
}

static void *alc_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return sdw_realloc(p, size);
}

static void alc_free(void *ctx, void *p)
{
    (void)ctx;
    sdw_free(p);
}

const yyjson_alc sdw_json_memory = { .malloc = alc_malloc, .realloc = alc_realloc, .free = alc_free };

/* Deepest nesting of brackets outside strings. Right for valid text; invalid text is refused by the parser anyway. */
static size_t nesting(const char *text, size_t size)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

/* Any total order that is 0 for equal keys only; by length first, since keys may hold NUL. */
static int compare_keys(const void *pa, const void *pb)
{
    yyjson_val *const *a = pa, *const *b = pb;
    size_t na = yyjson_get_len(*a), nb = yyjson_get_len(*b);
    if (na != nb) return na < nb ? -1 : 1;
    return memcmp(yyjson_get_str(*a), yyjson_get_str(*b), na);
}

static yyjson_val *small_duplicate(yyjson_val *object)
{
    yyjson_val *seen[SMALL_OBJECT];
    size_t count = 0;
    yyjson_obj_iter it = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        for (size_t i = 0; i < count; i++)
            if (compare_keys(&seen[i], &key) == 0) return key;
        if (count < SMALL_OBJECT) seen[count++] = key;
    }
    return NULL;
}

static sdw_status large_duplicate(yyjson_val *object, yyjson_val **ret_key, const char *what, sdw_error *err)
{
    size_t n = yyjson_obj_size(object), count = 0;
    yyjson_val **keys = sdw_calloc(n, sizeof *keys);
    if (!keys) return sdw_fail_memory(err, what, n * sizeof *keys);
    yyjson_obj_iter it = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it)) && count < n;) keys[count++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count && !*ret_key; i++)
        if (compare_keys(&keys[i - 1], &keys[i]) == 0) *ret_key = keys[i];
    sdw_free(keys);
    return SDW_OK;
}

/* Recursion is bounded by the depth limit, which was checked on the text. */
static sdw_status refuse_duplicates(yyjson_val *v, const char *what, sdw_error *err)
{
    sdw_status s = SDW_OK;
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        for (yyjson_val *item; s == SDW_OK && (item = yyjson_arr_iter_next(&it));)
            if (yyjson_is_ctn(item)) s = refuse_duplicates(item, what, err);
        return s;
    }
    if (!yyjson_is_obj(v)) return SDW_OK;
    yyjson_val *twice = NULL;
    if (yyjson_obj_size(v) <= SMALL_OBJECT) twice = small_duplicate(v);
    else s = large_duplicate(v, &twice, what, err);
    if (s != SDW_OK) return s;
    if (twice)
        return sdw_fail(err, SDW_FORMAT, "%s: key \"%.80s\" stands twice in one object, want each key once", what,
                        yyjson_get_str(twice));
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *item = yyjson_obj_iter_get_val(key);
        if (yyjson_is_ctn(item)) s = refuse_duplicates(item, what, err);
    }
    return s;
}

static sdw_status check_top(yyjson_val *root, sdw_json_top top, const char *what, sdw_error *err)
{
    const char *want = top == SDW_JSON_OBJECT ? "object" : "array";
    bool ok = top == SDW_JSON_ANY || (top == SDW_JSON_OBJECT ? yyjson_is_obj(root) : yyjson_is_arr(root));
    if (ok) return SDW_OK;
    return sdw_fail(err, SDW_FORMAT, "%s: the top level is of type %s, want %s", what, yyjson_get_type_desc(root), want);
}

static sdw_status check_size(size_t size, const sdw_json_limits *l, const char *what, sdw_error *err)
{
    size_t most = l && l->bytes_max ? l->bytes_max : SDW_LIMIT_JSON_BYTES;
    if (size <= most) return SDW_OK;
    return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes of JSON, want at most %zu", what, size, most);
}

sdw_status sdw_json_parse(const char *text, size_t size, const char *what, const sdw_json_limits *limits,
                          yyjson_doc **ret_doc, sdw_error *err)
{
    sdw_status s = check_size(size, limits, what, err);
    if (s != SDW_OK) return s;
    if (size == 0) return sdw_fail(err, SDW_FORMAT, "%s: is empty, want JSON", what);
    size_t depth_max = limits && limits->depth_max > 0 ? (size_t)limits->depth_max : SDW_LIMIT_JSON_DEPTH;
    size_t depth = nesting(text, size);
    if (depth > depth_max)
        return sdw_fail(err, SDW_LIMIT, "%s: JSON nested %zu levels deep, want at most %zu", what, depth, depth_max);
    yyjson_read_err bad = { 0 };
    /* Without the in-situ flag yyjson copies the text and does not write to it; its signature lacks the const. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text, size, YYJSON_READ_NOFLAG, &sdw_json_memory, &bad);
    if (!doc && bad.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return sdw_fail_memory(err, what, size);
    if (!doc) return sdw_fail(err, SDW_FORMAT, "%s: not valid JSON at byte %zu: %s", what, bad.pos, bad.msg);
    s = check_top(yyjson_doc_get_root(doc), limits ? limits->top : SDW_JSON_ANY, what, err);
    if (s == SDW_OK) s = refuse_duplicates(yyjson_doc_get_root(doc), what, err);
    if (s != SDW_OK) {
        yyjson_doc_free(doc);
        return s;
    }
    *ret_doc = doc;
    return SDW_OK;
}

/* Reads until `size` bytes are there or the file ends; a file that shrank meanwhile gives fewer. */
static sdw_status read_bytes(int fd, char *dst, size_t size, const char *path, size_t *ret_size, sdw_error *err)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, dst + have, size - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0) break;
        have += (size_t)n;
    }
    *ret_size = have;
    return SDW_OK;
}

static sdw_status read_open_file(int fd, const char *path, const sdw_json_limits *limits, yyjson_doc **ret_doc,
                                 sdw_error *err)
{
    static const char lfs[] = "version https://git-lfs";
    struct stat st;
    if (fstat(fd, &st) != 0) return sdw_fail(err, SDW_IO, "%s: cannot stat: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return sdw_fail(err, SDW_FORMAT, "%s: not a regular file, want a JSON file", path);
    size_t size = (size_t)st.st_size;
    sdw_status s = check_size(size, limits, path, err);
    if (s != SDW_OK) return s;
    char *text = sdw_malloc(size + 1);
    if (!text) return sdw_fail_memory(err, path, size + 1);
    s = read_bytes(fd, text, size, path, &size, err);
    if (s == SDW_OK && size >= sizeof lfs - 1 && memcmp(text, lfs, sizeof lfs - 1) == 0)
        s = sdw_fail(err, SDW_FORMAT, "%s: is a Git LFS pointer, want the JSON file itself (git lfs pull fetches it)", path);
    if (s == SDW_OK) s = sdw_json_parse(text, size, path, limits, ret_doc, err);
    sdw_free(text);
    return s;
}

sdw_status sdw_json_read_file(const char *path, const sdw_json_limits *limits, yyjson_doc **ret_doc, sdw_error *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it changes nothing for regular files. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sdw_fail(err, errno == ENOENT || errno == ENOTDIR ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path,
                        strerror(errno));
    sdw_status s = read_open_file(fd, path, limits, ret_doc, err);
    close(fd);
    return s;
}

void sdw_json_append(sdw_buf *to, yyjson_val *value)
{
    const yyjson_alc alc = { .malloc = alc_malloc, .realloc = alc_realloc, .free = alc_free };
    size_t size = 0;
    char *text = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, &alc, &size, NULL);
    if (text) sdw_buf_append(to, text, size);
    else to->failed = true;
    sdw_free(text);
}

void sdw_json_append_text(sdw_buf *to, const char *text)
{
    sdw_buf_puts(to, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') sdw_buf_printf(to, "\\%c", *c);
        else if ((unsigned char)*c < 0x20) sdw_buf_printf(to, "\\u%04x", (unsigned)(unsigned char)*c);
        else sdw_buf_append(to, c, 1);
    }
    sdw_buf_puts(to, "\"");
}
