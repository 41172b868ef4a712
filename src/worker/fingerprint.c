/* fingerprint.c - see fingerprint.h. */
#include "worker/fingerprint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

enum { FILES_MAX = 2000, DEPTH_MAX = 4, ENDS = 64 << 10 };

typedef struct list { char *path[FILES_MAX]; size_t count; } list;

static sdw_status add_entry(list *l, const char *dir, const char *name, int depth, sdw_error *err);

static sdw_status add_folder(list *l, const char *path, int depth, sdw_error *err)
{
    sdw_status s = SDW_OK;
    DIR *d = opendir(path);
    if (!d) return sdw_fail_errno(err, path, "cannot open the folder");
    for (struct dirent *e; s == SDW_OK && (e = readdir(d));)
        if (e->d_name[0] != '.') s = add_entry(l, path, e->d_name, depth + 1, err);
    closedir(d);
    return s;
}

/* Links are followed: caches of models are made of them. */
static sdw_status add_entry(list *l, const char *dir, const char *name, int depth, sdw_error *err)
{
    struct stat st;
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = sdw_malloc(room);
    if (!path) return sdw_fail_memory(err, "path", room);
    snprintf(path, room, "%s/%s", dir, name);
    bool ok = stat(path, &st) == 0, keep = ok && S_ISREG(st.st_mode) && l->count < FILES_MAX;
    sdw_status s = SDW_OK;
    if (keep) l->path[l->count++] = path;
    else if (ok && S_ISDIR(st.st_mode) && depth < DEPTH_MAX) s = add_folder(l, path, depth, err);
    if (!keep) sdw_free(path);
    return s;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sdw_status add_bytes(sdw_digest *d, int fd, const char *path, off_t at, char *piece, sdw_error *err)
{
    ssize_t n;
    do n = pread(fd, piece, ENDS, at);
    while (n < 0 && errno == EINTR);
    if (n < 0) return sdw_fail_errno(err, path, "cannot read");
    return sdw_digest_add(d, piece, (size_t)n, err);
}

static sdw_status add_open_file(sdw_digest *d, int fd, const char *path, const char *name, sdw_error *err)
{
    struct stat st;
    char size[32];
    if (fstat(fd, &st) != 0) return sdw_fail_errno(err, path, "cannot stat");
    snprintf(size, sizeof size, "%lld", (long long)st.st_size);
    char *piece = sdw_malloc(ENDS);
    if (!piece) return sdw_fail_memory(err, "fingerprint", ENDS);
    sdw_status s = sdw_digest_add(d, name, strlen(name) + 1, err);
    if (s == SDW_OK) s = sdw_digest_add(d, size, strlen(size) + 1, err);
    if (s == SDW_OK) s = add_bytes(d, fd, path, 0, piece, err);
    if (s == SDW_OK && st.st_size > ENDS) s = add_bytes(d, fd, path, st.st_size - ENDS, piece, err);
    sdw_free(piece);
    return s;
}

static sdw_status add_file(sdw_digest *d, const char *path, const char *name, sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return sdw_fail_errno(err, path, "cannot open");
    sdw_status s = add_open_file(d, fd, path, name, err);
    close(fd);
    return s;
}

static sdw_status add_model(sdw_digest *d, const char *path, sdw_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) return sdw_fail_errno(err, path, "cannot stat");
    if (!S_ISDIR(st.st_mode)) return add_file(d, path, "", err);
    list *l = sdw_calloc(1, sizeof *l);
    if (!l) return sdw_fail_memory(err, "list of a model's files", sizeof *l);
    sdw_status s = add_folder(l, path, 0, err);
    qsort(l->path, l->count, sizeof l->path[0], by_name);
    for (size_t i = 0; i < l->count; i++) {
        if (s == SDW_OK) s = add_file(d, l->path[i], l->path[i] + strlen(path), err);
        sdw_free(l->path[i]);
    }
    sdw_free(l);
    return s;
}

static sdw_status add_text(sdw_digest *d, const char *text, sdw_error *err)
{
    return sdw_digest_add(d, text ? text : "", text ? strlen(text) + 1 : 1, err);
}

sdw_status sdw_model_fingerprint(const sdw_engine_options *o, char ret[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    sdw_digest *d = NULL;
    sdw_status s = sdw_digest_open(SDW_DIGEST_SHA256, 0, &d, err);
    if (s == SDW_OK) s = add_text(d, o->variant, err);
    if (s == SDW_OK) s = add_text(d, o->prediction, err);
    if (s == SDW_OK) s = add_model(d, o->model, err);
    if (s == SDW_OK && o->precision && strcmp(o->precision, "f32") != 0) s = add_text(d, o->precision, err);
    if (s == SDW_OK && o->config_dir) s = add_model(d, o->config_dir, err);
    if (s == SDW_OK) s = sdw_digest_hex(d, ret, err);
    sdw_digest_close(d);
    if (s == SDW_NOT_FOUND) {
        ret[0] = '\0';
        s = SDW_OK;
    }
    return s;
}
