/* safetensors_write.c - streaming writer. What it writes, sdw_safetensors_parse accepts. */
#include "io/safetensors_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "io/safetensors.h"

/* Readers may map the file: data begins at a multiple of this. */
#define ALIGNMENT 64
#define TEMPORARY_TRIES 100

struct sdw_safetensors_writer {
    char *path, *temporary; /* owned; temporary is NULL before begin and after commit */
    bool replace, begun;
    int fd;           /* -1 = none */
    sdw_buf tensors;  /* JSON rows of the tensors, with commas between */
    sdw_buf metadata; /* JSON rows of __metadata__ */
    uint64_t declared, written;
};

sdw_status sdw_safetensors_writer_open(const char *path, bool replace, sdw_safetensors_writer **ret, sdw_error *err)
{
    struct stat st;
    if (!replace && lstat(path, &st) == 0)
        return sdw_fail(err, SDW_EXISTS, "%s: is already there, and replacing it was not asked for", path);
    sdw_safetensors_writer *w = sdw_calloc(1, sizeof *w);
    if (!w) return sdw_fail_memory(err, path, sizeof *w);
    w->fd = -1;
    w->replace = replace;
    sdw_buf_init(&w->tensors, SDW_LIMIT_SAFETENSORS_HEADER);
    sdw_buf_init(&w->metadata, SDW_LIMIT_SAFETENSORS_HEADER);
    w->path = sdw_strdup(path);
    if (!w->path) {
        sdw_safetensors_writer_close(w);
        return sdw_fail_memory(err, "path", strlen(path) + 1);
    }
    *ret = w;
    return SDW_OK;
}

/* Appends text as a JSON string. Bytes above 0x7f pass as they are; the reader checks UTF-8. */
static void append_string(sdw_buf *b, const char *text)
{
    sdw_buf_puts(b, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') sdw_buf_printf(b, "\\%c", *p);
        else if ((unsigned char)*p < 0x20) sdw_buf_printf(b, "\\u%04x", (unsigned)*p);
        else sdw_buf_append(b, p, 1);
    }
    sdw_buf_puts(b, "\"");
}

static bool name_is_good(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > SDW_LIMIT_TENSOR_NAME || strcmp(name, "__metadata__") == 0) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

static bool shape_size(sdw_dtype dtype, int rank, const int64_t *shape, size_t *ret)
{
    size_t n = sdw_dtype_size(dtype);
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || !sdw_size_mul(n, (size_t)shape[i], &n)) return false;
    *ret = n;
    return true;
}

sdw_status sdw_safetensors_writer_declare(sdw_safetensors_writer *w, const char *name, sdw_dtype dtype, int rank,
                                          const int64_t *shape, sdw_error *err)
{
    size_t bytes = 0;
    if (w->begun) return sdw_fail(err, SDW_INVALID, "%s: tensor %s is declared after writing began", w->path, name);
    if (!name_is_good(name))
        return sdw_fail(err, SDW_INVALID, "%s: \"%.80s\" is no name for a tensor, want 1..%d printable bytes", w->path, name,
                        SDW_LIMIT_TENSOR_NAME);
    if (rank < 0 || rank > SDW_RANK_MAX || !shape_size(dtype, rank, shape, &bytes))
        return sdw_fail(err, SDW_INVALID, "%s: tensor %s: rank %d and its shape are outside what can be stored (0..%d dims, none negative)",
                        w->path, name, rank, SDW_RANK_MAX);
    sdw_buf *b = &w->tensors;
    if (b->size) sdw_buf_puts(b, ",");
    append_string(b, name);
    sdw_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", sdw_dtype_name(dtype));
    for (int i = 0; i < rank; i++) sdw_buf_printf(b, "%s%lld", i ? "," : "", (long long)shape[i]);
    sdw_buf_printf(b, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)w->declared,
                   (unsigned long long)w->declared + bytes);
    w->declared += bytes;
    if (b->failed) return sdw_fail_memory(err, "the header of a .safetensors file", b->size);
    return SDW_OK;
}

sdw_status sdw_safetensors_writer_metadata(sdw_safetensors_writer *w, const char *key, const char *value, sdw_error *err)
{
    if (w->begun) return sdw_fail(err, SDW_INVALID, "%s: metadata \"%s\" is given after writing began", w->path, key);
    if (w->metadata.size) sdw_buf_puts(&w->metadata, ",");
    append_string(&w->metadata, key);
    sdw_buf_puts(&w->metadata, ":");
    append_string(&w->metadata, value);
    if (w->metadata.failed) return sdw_fail_memory(err, "the header of a .safetensors file", w->metadata.size);
    return SDW_OK;
}

static sdw_status write_all(sdw_safetensors_writer *w, const void *data, size_t bytes, sdw_error *err)
{
    const char *p = data;
    while (bytes) {
        ssize_t n = write(w->fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot write: %s", w->temporary, strerror(errno));
        p += n;
        bytes -= (size_t)n;
    }
    return SDW_OK;
}

/* Beside the target, so that the rename stays within one file system. O_EXCL: never through somebody's link. */
static sdw_status create_temporary(sdw_safetensors_writer *w, sdw_error *err)
{
    size_t room = strlen(w->path) + 40;
    w->temporary = sdw_malloc(room);
    if (!w->temporary) return sdw_fail_memory(err, "path", room);
    for (int i = 0; i < TEMPORARY_TRIES && w->fd < 0; i++) {
        snprintf(w->temporary, room, "%s.%ld.%d.tmp", w->path, (long)getpid(), i);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd >= 0) return SDW_OK;
    sdw_fail(err, SDW_IO, "%s: cannot create: %s", w->temporary, strerror(errno));
    sdw_free(w->temporary);
    w->temporary = NULL;
    return SDW_IO;
}

static sdw_status build_header(sdw_safetensors_writer *w, sdw_buf *header, sdw_error *err)
{
    sdw_buf_puts(header, "{");
    if (w->metadata.size) {
        sdw_buf_puts(header, "\"__metadata__\":{");
        sdw_buf_append(header, w->metadata.data, w->metadata.size);
        sdw_buf_puts(header, w->tensors.size ? "}," : "}");
    }
    if (w->tensors.size) sdw_buf_append(header, w->tensors.data, w->tensors.size);
    sdw_buf_puts(header, "}");
    while (!header->failed && (header->size + 8) % ALIGNMENT) sdw_buf_puts(header, " ");
    if (header->failed) return sdw_fail_memory(err, "the header of a .safetensors file", header->size);
    /* The JSON reader finds names declared twice, and text that is not UTF-8. */
    yyjson_doc *doc = NULL;
    sdw_error why = { 0 };
    const sdw_json_limits limits = { SDW_LIMIT_SAFETENSORS_HEADER, 0, SDW_JSON_OBJECT };
    if (sdw_json_parse(header->data, header->size, w->path, &limits, &doc, &why) != SDW_OK)
        return sdw_fail(err, why.status == SDW_NO_MEMORY ? SDW_NO_MEMORY : SDW_INVALID, "%s", why.text);
    yyjson_doc_free(doc);
    return SDW_OK;
}

sdw_status sdw_safetensors_writer_begin(sdw_safetensors_writer *w, sdw_error *err)
{
    unsigned char length[8];
    sdw_buf header;
    if (w->begun) return sdw_fail(err, SDW_INVALID, "%s: writing began already", w->path);
    sdw_buf_init(&header, SDW_LIMIT_SAFETENSORS_HEADER);
    sdw_status s = build_header(w, &header, err);
    if (s == SDW_OK) s = create_temporary(w, err);
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    if (s == SDW_OK) s = write_all(w, length, sizeof length, err);
    if (s == SDW_OK) s = write_all(w, header.data, header.size, err);
    if (s == SDW_OK) w->begun = true;
    sdw_buf_finish(&header);
    return s;
}

sdw_status sdw_safetensors_writer_write(sdw_safetensors_writer *w, const void *data, size_t bytes, sdw_error *err)
{
    if (!w->begun) return sdw_fail(err, SDW_INVALID, "%s: data is written before the header", w->path);
    if (bytes > w->declared - w->written)
        return sdw_fail(err, SDW_INVALID, "%s: %llu bytes of data, want the %llu that were declared", w->path,
                        (unsigned long long)w->written + bytes, (unsigned long long)w->declared);
    sdw_status s = write_all(w, data, bytes, err);
    if (s == SDW_OK) w->written += bytes;
    return s;
}

uint64_t sdw_safetensors_writer_data_bytes(const sdw_safetensors_writer *w)
{
    return w->declared;
}

sdw_status sdw_safetensors_writer_commit(sdw_safetensors_writer *w, sdw_error *err)
{
    struct stat st;
    if (!w->begun || w->written != w->declared)
        return sdw_fail(err, SDW_INVALID, "%s: %llu bytes of data were written, want the %llu that were declared", w->path,
                        (unsigned long long)w->written, (unsigned long long)w->declared);
    int bad = fsync(w->fd);
    if (close(w->fd) != 0) bad = -1;
    w->fd = -1;
    if (bad) return sdw_fail(err, SDW_IO, "%s: cannot write: %s", w->temporary, strerror(errno));
    if (!w->replace && lstat(w->path, &st) == 0)
        return sdw_fail(err, SDW_EXISTS, "%s: somebody else has written it meanwhile", w->path);
    if (rename(w->temporary, w->path) != 0)
        return sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", w->path, strerror(errno));
    sdw_free(w->temporary);
    w->temporary = NULL;
    return SDW_OK;
}

void sdw_safetensors_writer_close(sdw_safetensors_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->temporary) unlink(w->temporary);
    sdw_free(w->temporary);
    sdw_free(w->path);
    sdw_buf_finish(&w->tensors);
    sdw_buf_finish(&w->metadata);
    sdw_free(w);
}
