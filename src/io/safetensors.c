/* safetensors.c - header of a .safetensors file. Everything in it is untrusted. */
#include "io/safetensors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/mem.h"
#include "io/lfs_pointer.h"

#define LENGTH_BYTES 8
/* Tensor rows nest three levels: header, row, shape. */
#define HEADER_DEPTH 4

/* Files that people name by mistake, known by their first bytes. */
static const struct {
    const char *magic;
    size_t bytes;
    sdw_status status;
    const char *what;
} foreign[] = {
#define MAGIC(text) text, sizeof text - 1
    { MAGIC(SDW_LFS_POINTER_MAGIC), SDW_FORMAT,
      "is a Git LFS pointer, not the weights themselves; fetch them with: git lfs pull" },
    { MAGIC("PK\003\004"), SDW_UNSUPPORTED,
      "is a PyTorch pickle (.ckpt, .bin, .pt), which may run code when loaded; convert it to .safetensors" },
    { MAGIC("\200\002"), SDW_UNSUPPORTED,
      "is a Python pickle (.ckpt, .bin, .pt), which may run code when loaded; convert it to .safetensors" },
    { MAGIC("\200\003"), SDW_UNSUPPORTED,
      "is a Python pickle (.ckpt, .bin, .pt), which may run code when loaded; convert it to .safetensors" },
    { MAGIC("\200\004"), SDW_UNSUPPORTED,
      "is a Python pickle (.ckpt, .bin, .pt), which may run code when loaded; convert it to .safetensors" },
    { MAGIC("GGUF"), SDW_UNSUPPORTED, "is a GGUF file; want a .safetensors file" },
    { MAGIC("\211HDF\r\n"), SDW_UNSUPPORTED, "is an HDF5 file; want a .safetensors file" },
    { MAGIC("<!DOCTYPE"), SDW_FORMAT, "is a web page, not weights; the download went wrong" },
    { MAGIC("<html"), SDW_FORMAT, "is a web page, not weights; the download went wrong" },
#undef MAGIC
};

/* A header length may begin with any byte, so a pickle's two bytes alone prove nothing: a real file has its '{' at
 * byte 8. */
static sdw_status refuse_foreign(const unsigned char *file, size_t size, const char *path, sdw_error *err)
{
    if (size > LENGTH_BYTES && file[LENGTH_BYTES] == '{') return SDW_OK;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (size >= foreign[i].bytes && memcmp(file, foreign[i].magic, foreign[i].bytes) == 0)
            return sdw_fail(err, foreign[i].status, "%s: %s", path, foreign[i].what);
    return SDW_OK;
}

static sdw_status read_length(const unsigned char *file, size_t size, const char *path, size_t *ret, sdw_error *err)
{
    if (size < LENGTH_BYTES + 2)
        return sdw_fail(err, SDW_FORMAT, "%s: %zu bytes, want a .safetensors file of at least %d", path, size,
                        LENGTH_BYTES + 2);
    uint64_t n = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) n |= (uint64_t)file[i] << (8 * i);
    if (n > size - LENGTH_BYTES)
        return sdw_fail(err, SDW_FORMAT, "%s: header of %llu bytes in a file of %zu: damaged, cut short or no .safetensors file",
                        path, (unsigned long long)n, size);
    if (n > SDW_LIMIT_SAFETENSORS_HEADER)
        return sdw_fail(err, SDW_LIMIT, "%s: header of %llu bytes, want at most %zu", path, (unsigned long long)n,
                        SDW_LIMIT_SAFETENSORS_HEADER);
    if (file[LENGTH_BYTES] != '{')
        return sdw_fail(err, SDW_FORMAT, "%s: the header begins with byte 0x%02x, want '{' of a .safetensors file", path,
                        file[LENGTH_BYTES]);
    *ret = (size_t)n;
    return SDW_OK;
}

/* Names go into messages and on terminals: no control characters, no NUL inside. */
static sdw_status check_name(yyjson_val *key, const char *path, sdw_error *err)
{
    const char *name = yyjson_get_str(key);
    size_t n = yyjson_get_len(key);
    if (n == 0 || n > SDW_LIMIT_TENSOR_NAME)
        return sdw_fail(err, SDW_FORMAT, "%s: a tensor's name has %zu bytes, want 1..%d", path, n, SDW_LIMIT_TENSOR_NAME);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return sdw_fail(err, SDW_FORMAT, "%s: a tensor's name has the control character 0x%02x at byte %zu", path,
                            (unsigned char)name[i], i);
    return SDW_OK;
}

static sdw_status read_shape(yyjson_val *shape, const char *path, sdw_safetensors_entry *e, sdw_error *err)
{
    if (!yyjson_is_arr(shape) || yyjson_arr_size(shape) > SDW_RANK_MAX)
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: \"shape\" is %s of %zu, want a list of at most %d numbers", path,
                        e->name, shape ? yyjson_get_type_desc(shape) : "absent", yyjson_arr_size(shape), SDW_RANK_MAX);
    yyjson_arr_iter it = yyjson_arr_iter_with(shape);
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&it)); e->rank++) {
        if (!yyjson_is_uint(v) || yyjson_get_uint(v) > INT64_MAX)
            return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: dimension %d is no whole number of 0..2^63-1", path, e->name,
                            e->rank);
        e->shape[e->rank] = (int64_t)yyjson_get_uint(v);
    }
    return SDW_OK;
}

/* Bytes of the shape; a product that wraps is refused even where a later dimension is 0. */
static sdw_status shape_bytes(const sdw_safetensors_entry *e, const char *path, size_t *ret, sdw_error *err)
{
    size_t n = sdw_dtype_size(e->dtype);
    for (int i = 0; i < e->rank; i++)
        if ((uint64_t)e->shape[i] > SIZE_MAX || !sdw_size_mul(n, (size_t)e->shape[i], &n))
            return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: its shape has more elements than memory has bytes", path, e->name);
    *ret = n;
    return SDW_OK;
}

static sdw_status read_offsets(yyjson_val *v, const char *path, size_t header, size_t size, sdw_safetensors_entry *e,
                               sdw_error *err)
{
    yyjson_val *first = yyjson_arr_get(v, 0), *last = yyjson_arr_get(v, 1);
    if (yyjson_arr_size(v) != 2 || !yyjson_is_uint(first) || !yyjson_is_uint(last))
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: \"data_offsets\" is no list of two whole numbers", path, e->name);
    uint64_t begin = yyjson_get_uint(first), end = yyjson_get_uint(last);
    size_t data = LENGTH_BYTES + header;
    if (begin > end || end > size - data)
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: data at bytes %llu..%llu of %zu: the file is damaged or cut short",
                        path, e->name, (unsigned long long)begin, (unsigned long long)end, size - data);
    e->begin = data + (size_t)begin;
    e->bytes = (size_t)(end - begin);
    size_t want = 0;
    sdw_status s = shape_bytes(e, path, &want, err);
    if (s == SDW_OK && want != e->bytes)
        s = sdw_fail(err, SDW_FORMAT, "%s: tensor %s: %zu bytes of data, want %zu by its shape and dtype", path, e->name,
                     e->bytes, want);
    return s;
}

static sdw_status read_entry(yyjson_val *key, yyjson_val *row, const char *path, size_t header, size_t size,
                             sdw_safetensors_entry *e, sdw_error *err)
{
    sdw_status s = check_name(key, path, err);
    if (s != SDW_OK) return s;
    e->name = yyjson_get_str(key);
    if (!yyjson_is_obj(row))
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: its entry is %s, want an object", path, e->name,
                        yyjson_get_type_desc(row));
    const char *dtype = yyjson_get_str(yyjson_obj_get(row, "dtype"));
    int known = dtype ? sdw_dtype_from_name(dtype) : -1;
    if (known < 0)
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s: unknown dtype \"%.40s\", want F32, F16, BF16, F8_E4M3 or F8_E5M2",
                        path, e->name, dtype ? dtype : "(absent)");
    e->dtype = (sdw_dtype)known;
    s = read_shape(yyjson_obj_get(row, "shape"), path, e, err);
    if (s == SDW_OK) s = read_offsets(yyjson_obj_get(row, "data_offsets"), path, header, size, e, err);
    return s;
}

static sdw_status check_metadata(yyjson_val *m, const char *path, sdw_error *err)
{
    if (!yyjson_is_obj(m))
        return sdw_fail(err, SDW_FORMAT, "%s: __metadata__ is %s, want an object of texts", path, yyjson_get_type_desc(m));
    yyjson_obj_iter it = yyjson_obj_iter_with(m);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));)
        if (!yyjson_is_str(yyjson_obj_iter_get_val(key)))
            return sdw_fail(err, SDW_FORMAT, "%s: __metadata__ key \"%.80s\" is %s, want a text", path, yyjson_get_str(key),
                            yyjson_get_type_desc(yyjson_obj_iter_get_val(key)));
    return SDW_OK;
}

static sdw_status read_entries(sdw_safetensors *h, const char *path, size_t header, size_t size, sdw_error *err)
{
    yyjson_val *root = yyjson_doc_get_root(h->doc);
    size_t rows = yyjson_obj_size(root);
    if (rows > SDW_LIMIT_TENSORS)
        return sdw_fail(err, SDW_LIMIT, "%s: %zu tensors, want at most %d", path, rows, SDW_LIMIT_TENSORS);
    if (rows == 0) return SDW_OK;
    h->entries = sdw_calloc(rows, sizeof *h->entries);
    if (!h->entries) return sdw_fail_memory(err, path, rows * sizeof *h->entries);
    sdw_status s = SDW_OK;
    yyjson_obj_iter it = yyjson_obj_iter_with(root);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *row = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, "__metadata__")) {
            s = check_metadata(row, path, err);
            h->metadata = row;
        } else {
            s = read_entry(key, row, path, header, size, &h->entries[h->count++], err);
        }
    }
    return s;
}

/* By begin; an empty tensor stands before the one that shares its begin. */
static int by_begin(const void *pa, const void *pb)
{
    const sdw_safetensors_entry *a = pa, *b = pb;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The data section is filled exactly: nothing twice, no holes, no rest. */
static sdw_status check_layout(sdw_safetensors *h, const char *path, size_t header, size_t size, sdw_error *err)
{
    if (h->count > 1) qsort(h->entries, h->count, sizeof *h->entries, by_begin);
    size_t at = LENGTH_BYTES + header;
    for (size_t i = 0; i < h->count; i++) {
        const sdw_safetensors_entry *e = &h->entries[i];
        if (e->begin < at)
            return sdw_fail(err, SDW_FORMAT, "%s: the data of tensors %s and %s overlap", path, h->entries[i - 1].name, e->name);
        if (e->begin > at)
            return sdw_fail(err, SDW_FORMAT, "%s: %zu bytes before the data of tensor %s belong to no tensor", path,
                            e->begin - at, e->name);
        at = e->begin + e->bytes;
    }
    if (at != size)
        return sdw_fail(err, SDW_FORMAT, "%s: %zu bytes at the end of the file belong to no tensor", path, size - at);
    return SDW_OK;
}

sdw_status sdw_safetensors_parse(const void *file, size_t size, const char *path, sdw_safetensors *ret, sdw_error *err)
{
    sdw_safetensors h = { 0 };
    size_t header = 0;
    sdw_status s = refuse_foreign(file, size, path, err);
    if (s == SDW_OK) s = read_length(file, size, path, &header, err);
    if (s != SDW_OK) return s;
    const sdw_json_limits limits = { SDW_LIMIT_SAFETENSORS_HEADER, HEADER_DEPTH, SDW_JSON_OBJECT };
    s = sdw_json_parse((const char *)file + LENGTH_BYTES, header, path, &limits, &h.doc, err);
    if (s == SDW_OK) s = read_entries(&h, path, header, size, err);
    if (s == SDW_OK) s = check_layout(&h, path, header, size, err);
    if (s == SDW_OK) *ret = h;
    else sdw_safetensors_finish(&h);
    return s;
}

void sdw_safetensors_finish(sdw_safetensors *h)
{
    yyjson_doc_free(h->doc);
    sdw_free(h->entries);
    *h = (sdw_safetensors){ 0 };
}
