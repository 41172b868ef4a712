/* checkpoint.c - tables of tensors: of mapped files, and views with other names over them. */
#include "io/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/limits.h"
#include "core/mem.h"
#include "io/mapping.h"
#include "io/safetensors.h"

/* Largest published models come in some 30 shards. */
#define SHARDS_MAX 1024
#define INDEX_ENDING ".json"

typedef struct shard {
    sdw_mapping map;
    sdw_safetensors header;
} shard;

struct sdw_checkpoint {
    char *path;            /* owned */
    shard *shards;         /* owned; none in a view */
    size_t shard_count;
    sdw_file_tensor *rows; /* owned */
    size_t count, capacity;
    sdw_arena names;       /* names of a view's rows */
};

static sdw_status create(const char *path, sdw_checkpoint **ret, sdw_error *err)
{
    sdw_checkpoint *c = sdw_calloc(1, sizeof *c);
    if (!c) return sdw_fail_memory(err, path, sizeof *c);
    c->path = sdw_strdup(path);
    if (!c->path) {
        sdw_checkpoint_close(c);
        return sdw_fail_memory(err, "path", strlen(path) + 1);
    }
    *ret = c;
    return SDW_OK;
}

static sdw_status reserve(sdw_checkpoint *c, size_t more, sdw_error *err)
{
    if (more <= c->capacity - c->count) return SDW_OK;
    if (more > SDW_LIMIT_TENSORS || c->count + more > SDW_LIMIT_TENSORS)
        return sdw_fail(err, SDW_LIMIT, "%s: more than %d tensors", c->path, SDW_LIMIT_TENSORS);
    size_t capacity = c->count + more > 2 * c->capacity ? c->count + more : 2 * c->capacity;
    sdw_file_tensor *rows = sdw_realloc(c->rows, capacity * sizeof *rows);
    if (!rows) return sdw_fail_memory(err, c->path, capacity * sizeof *rows);
    c->rows = rows;
    c->capacity = capacity;
    return SDW_OK;
}

static int by_name(const void *pa, const void *pb)
{
    const sdw_file_tensor *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

static sdw_status sort_rows(sdw_checkpoint *c, sdw_error *err)
{
    if (c->count > 1) qsort(c->rows, c->count, sizeof *c->rows, by_name);
    for (size_t i = 1; i < c->count; i++) {
        const sdw_file_tensor *a = &c->rows[i - 1], *b = &c->rows[i];
        if (strcmp(a->name, b->name) != 0) continue;
        if (strcmp(a->source_name, b->source_name) == 0)
            return sdw_fail(err, SDW_FORMAT, "%s: tensor %s stands in two shards", c->path, a->name);
        return sdw_fail(err, SDW_FORMAT, "%s: tensors %s and %s are both %s", c->path, a->source_name, b->source_name, a->name);
    }
    return SDW_OK;
}

/* Maps one file into the next shard and adds its rows. */
static sdw_status add_file(sdw_checkpoint *c, const char *path, sdw_error *err)
{
    shard *f = &c->shards[c->shard_count++]; /* zeroed; close accepts it half-built */
    sdw_status s = sdw_mapping_open(path, &f->map, err);
    if (s == SDW_OK) s = sdw_safetensors_parse(f->map.data, f->map.size, path, &f->header, err);
    if (s == SDW_OK) s = reserve(c, f->header.count, err);
    if (s != SDW_OK) return s;
    for (size_t i = 0; i < f->header.count; i++) {
        const sdw_safetensors_entry *e = &f->header.entries[i];
        sdw_file_tensor *t = &c->rows[c->count++];
        *t = (sdw_file_tensor){ .name = e->name, .source_name = e->name, .dtype = e->dtype, .rank = e->rank,
                                .data = f->map.data + e->begin, .bytes = e->bytes };
        memcpy(t->shape, e->shape, sizeof t->shape);
    }
    return SDW_OK;
}

/* A shard is a plain file name beside its index: no separators, so it cannot point elsewhere. */
static sdw_status check_shard_name(const char *name, const char *path, sdw_error *err)
{
    size_t n = name ? strlen(name) : 0;
    static const char ending[] = ".safetensors";
    if (!name || strchr(name, '/') || strchr(name, '\\') || name[0] == '.' || n > 255)
        return sdw_fail(err, SDW_FORMAT, "%s: \"%.80s\" is no name of a file in the same folder", path, name ? name : "(no text)");
    if (n <= sizeof ending - 1 || strcmp(name + n - (sizeof ending - 1), ending) != 0)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: shard %s is no .safetensors file; convert the model to .safetensors", path, name);
    return SDW_OK;
}

static int by_text(const void *pa, const void *pb)
{
    const char *const *a = pa, *const *b = pb;
    return strcmp(*a, *b);
}

/* The different files of a weight map, sorted. *ret: sdw_free; the texts belong to the map. */
static sdw_status shard_names(yyjson_val *map, const char *path, const char ***ret, size_t *ret_count, sdw_error *err)
{
    size_t n = yyjson_obj_size(map), count = 0, unique = 0;
    if (n == 0 || n > SDW_LIMIT_TENSORS)
        return sdw_fail(err, SDW_FORMAT, "%s: \"weight_map\" names %zu tensors, want an object of 1..%d", path, n, SDW_LIMIT_TENSORS);
    const char **names = sdw_calloc(n, sizeof *names);
    if (!names) return sdw_fail_memory(err, path, n * sizeof *names);
    sdw_status s = SDW_OK;
    yyjson_obj_iter it = yyjson_obj_iter_with(map);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));) {
        names[count] = yyjson_get_str(yyjson_obj_iter_get_val(key));
        s = check_shard_name(names[count++], path, err);
    }
    if (s == SDW_OK) {
        qsort(names, count, sizeof *names, by_text);
        for (size_t i = 0; i < count; i++)
            if (unique == 0 || strcmp(names[unique - 1], names[i]) != 0) names[unique++] = names[i];
        if (unique > SHARDS_MAX) s = sdw_fail(err, SDW_LIMIT, "%s: %zu shards, want at most %d", path, unique, SHARDS_MAX);
    }
    if (s != SDW_OK) {
        sdw_free(names);
        return s;
    }
    *ret = names;
    *ret_count = unique;
    return SDW_OK;
}

static sdw_status add_shards(sdw_checkpoint *c, const char **names, size_t count, sdw_error *err)
{
    const char *slash = strrchr(c->path, '/');
    int folder = slash ? (int)(slash - c->path) + 1 : 0;
    sdw_status s = SDW_OK;
    c->shards = sdw_calloc(count, sizeof *c->shards);
    if (!c->shards) return sdw_fail_memory(err, c->path, count * sizeof *c->shards);
    for (size_t i = 0; s == SDW_OK && i < count; i++) {
        char *path = sdw_arena_printf(&c->names, "%.*s%s", folder, c->path, names[i]);
        s = path ? add_file(c, path, err) : sdw_fail_memory(err, "path", strlen(c->path));
    }
    return s;
}

/* Every tensor that the index promises must be there. */
static sdw_status check_weight_map(const sdw_checkpoint *c, yyjson_val *map, sdw_error *err)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(map);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));)
        if (!sdw_checkpoint_find(c, yyjson_get_str(key)))
            return sdw_fail(err, SDW_FORMAT, "%s: tensor %s is in none of its shards, want it in %s", c->path,
                            yyjson_get_str(key), yyjson_get_str(yyjson_obj_iter_get_val(key)));
    return SDW_OK;
}

static sdw_status open_index(sdw_checkpoint *c, sdw_error *err)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    yyjson_doc *doc = NULL;
    const char **names = NULL;
    size_t count = 0;
    sdw_status s = sdw_json_read_file(c->path, &limits, &doc, err);
    if (s != SDW_OK) return s;
    yyjson_val *map = yyjson_obj_get(yyjson_doc_get_root(doc), "weight_map");
    s = shard_names(map, c->path, &names, &count, err);
    if (s == SDW_OK) s = add_shards(c, names, count, err);
    if (s == SDW_OK) s = sort_rows(c, err);
    if (s == SDW_OK) s = check_weight_map(c, map, err);
    sdw_free(names);
    yyjson_doc_free(doc);
    return s;
}

static sdw_status open_one(sdw_checkpoint *c, sdw_error *err)
{
    c->shards = sdw_calloc(1, sizeof *c->shards);
    if (!c->shards) return sdw_fail_memory(err, c->path, sizeof *c->shards);
    sdw_status s = add_file(c, c->path, err);
    if (s == SDW_OK) s = sort_rows(c, err);
    return s;
}

sdw_status sdw_checkpoint_open(const char *path, sdw_checkpoint **ret, sdw_error *err)
{
    sdw_checkpoint *c = NULL;
    sdw_status s = create(path, &c, err);
    if (s != SDW_OK) return s;
    size_t n = strlen(path), ending = sizeof INDEX_ENDING - 1;
    bool index = n > ending && strcmp(path + n - ending, INDEX_ENDING) == 0;
    s = index ? open_index(c, err) : open_one(c, err);
    if (s == SDW_OK) *ret = c;
    else sdw_checkpoint_close(c);
    return s;
}

/* Adds the rows that `row` makes of t. */
static sdw_status add_view_rows(sdw_checkpoint *view, const sdw_file_tensor *t, const sdw_view_row *row, sdw_error *err)
{
    if (row->parts > 1 && (t->rank < 1 || t->shape[0] % row->parts))
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s has rank %d and %lld rows, want a multiple of %d rows", view->path, t->name,
                        t->rank, t->rank ? (long long)t->shape[0] : 0, row->parts);
    if (row->transposed && t->rank != 2)
        return sdw_fail(err, SDW_FORMAT, "%s: tensor %s has rank %d, want a matrix", view->path, t->name, t->rank);
    sdw_status s = reserve(view, (size_t)row->parts, err);
    for (int i = 0; s == SDW_OK && i < row->parts; i++) {
        sdw_file_tensor *v = &view->rows[view->count];
        *v = *t;
        v->used = false;
        v->name = sdw_arena_strdup(&view->names, row->name[i]);
        if (!v->name) return sdw_fail_memory(err, view->path, strlen(row->name[i]) + 1);
        if (row->parts > 1) {
            v->shape[0] /= row->parts;
            v->bytes /= (size_t)row->parts;
            v->data = (const char *)t->data + (size_t)i * v->bytes;
        }
        if (row->transposed) {
            v->shape[0] = t->shape[1];
            v->shape[1] = t->shape[0];
            v->transposed = !t->transposed;
        }
        view->count++;
    }
    return s;
}

sdw_status sdw_checkpoint_view(sdw_checkpoint *base, sdw_view_fn *fn, const void *ctx, sdw_checkpoint **ret,
                               sdw_error *err)
{
    sdw_checkpoint *view = NULL;
    sdw_status s = create(base->path, &view, err);
    if (s != SDW_OK) return s;
    for (size_t i = 0; s == SDW_OK && i < base->count; i++) {
        sdw_view_row row = { 0 };
        fn(ctx, &base->rows[i], &row);
        if (row.parts || row.known) base->rows[i].used = true;
        if (row.parts) s = add_view_rows(view, &base->rows[i], &row, err);
    }
    if (s == SDW_OK) s = sort_rows(view, err);
    if (s == SDW_OK) *ret = view;
    else sdw_checkpoint_close(view);
    return s;
}

void sdw_checkpoint_close(sdw_checkpoint *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->shard_count; i++) {
        sdw_safetensors_finish(&c->shards[i].header);
        sdw_mapping_close(&c->shards[i].map);
    }
    sdw_free(c->shards);
    sdw_free(c->rows);
    sdw_arena_finish(&c->names);
    sdw_free(c->path);
    sdw_free(c);
}

size_t sdw_checkpoint_count(const sdw_checkpoint *c)
{
    return c->count;
}

sdw_file_tensor *sdw_checkpoint_at(const sdw_checkpoint *c, size_t index)
{
    return &c->rows[index];
}

sdw_file_tensor *sdw_checkpoint_find(const sdw_checkpoint *c, const char *name)
{
    const sdw_file_tensor key = { .name = name };
    if (c->count == 0) return NULL;
    return bsearch(&key, c->rows, c->count, sizeof *c->rows, by_name);
}

const char *sdw_checkpoint_metadata(const sdw_checkpoint *c, const char *key)
{
    for (size_t i = 0; i < c->shard_count; i++) {
        const char *value = yyjson_get_str(yyjson_obj_get(c->shards[i].header.metadata, key));
        if (value) return value;
    }
    return NULL;
}

const char *sdw_checkpoint_path(const sdw_checkpoint *c)
{
    return c->path;
}

void sdw_file_tensor_release(const sdw_file_tensor *t)
{
    sdw_mapping_release(t->data, t->bytes);
}

void sdw_checkpoint_release(const sdw_checkpoint *c)
{
    for (size_t i = 0; i < c->shard_count; i++) sdw_mapping_release(c->shards[i].map.data, c->shards[i].map.size);
}

/* Stored as shape[1] rows of shape[0]; widened a piece of a row at a time and scattered. */
static void read_transposed(const sdw_file_tensor *t, float *dst)
{
    float piece[256];
    const size_t rows = (size_t)t->shape[1], width = (size_t)t->shape[0], size = sdw_dtype_size(t->dtype);
    const size_t most = sizeof piece / sizeof piece[0];
    for (size_t r = 0; r < rows; r++) {
        for (size_t from = 0; from < width; from += most) {
            size_t n = width - from < most ? width - from : most;
            sdw_to_f32(t->dtype, (const char *)t->data + (r * width + from) * size, piece, n);
            for (size_t i = 0; i < n; i++) dst[(from + i) * rows + r] = piece[i];
        }
    }
}

void sdw_file_tensor_read_f32(const sdw_file_tensor *t, float *dst)
{
    if (t->bytes == 0) return;
    if (t->transposed) read_transposed(t, dst);
    else sdw_to_f32(t->dtype, t->data, dst, t->bytes / sdw_dtype_size(t->dtype));
}
