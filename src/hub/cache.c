/* cache.c - paths of the cache, and walks over what lies in it. */
#include "hub/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/folders.h"

#define PREFIX "models--"
#define DEPTH_MAX 16 /* folders within a repository */

sdw_status sdw_hub_path(char ret_path[SDW_HUB_PATH_MAX], sdw_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(ret_path, SDW_HUB_PATH_MAX, format, args);
    va_end(args);
    if (n >= 0 && n < SDW_HUB_PATH_MAX) return SDW_OK;
    return sdw_fail(err, SDW_LIMIT, "path '%.200s...': %d bytes, want less than %d", ret_path, n, SDW_HUB_PATH_MAX);
}

void sdw_hub_folder_of_id(const char *id, char ret[SDW_HUB_FOLDER_SIZE])
{
    const char *slash = strchr(id, '/');
    if (slash) snprintf(ret, SDW_HUB_FOLDER_SIZE, PREFIX "%.*s--%s", (int)(slash - id), id, slash + 1);
    else snprintf(ret, SDW_HUB_FOLDER_SIZE, PREFIX "%s", id);
}

/* An id holds no "--", so the first one stands for the '/'. */
bool sdw_hub_id_of_folder(const char *folder, char ret[SDW_HUB_ID_SIZE])
{
    size_t prefix = strlen(PREFIX);
    if (strncmp(folder, PREFIX, prefix) != 0) return false;
    const char *name = folder + prefix, *dashes = strstr(name, "--");
    int n = dashes ? snprintf(ret, SDW_HUB_ID_SIZE, "%.*s/%s", (int)(dashes - name), name, dashes + 2)
                   : snprintf(ret, SDW_HUB_ID_SIZE, "%s", name);
    return n > 0 && n < SDW_HUB_ID_SIZE && sdw_hub_is_id(ret);
}

sdw_status sdw_hub_place_of(const char *root, const char *id, sdw_hub_place place, const char *name,
                            char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    char folder[SDW_HUB_FOLDER_SIZE];
    sdw_hub_folder_of_id(id, folder);
    switch (place) {
    case SDW_HUB_REPO: return sdw_hub_path(ret_path, err, "%s/%s", root, folder);
    case SDW_HUB_REFS: return sdw_hub_path(ret_path, err, "%s/%s/refs", root, folder);
    case SDW_HUB_REF: return sdw_hub_path(ret_path, err, "%s/%s/refs/%s", root, folder, name);
    case SDW_HUB_BLOBS: return sdw_hub_path(ret_path, err, "%s/%s/blobs", root, folder);
    case SDW_HUB_BLOB: return sdw_hub_path(ret_path, err, "%s/%s/blobs/%s", root, folder, name);
    case SDW_HUB_PARTIAL: return sdw_hub_path(ret_path, err, "%s/%s/blobs/%s.sdw.incomplete", root, folder, name);
    case SDW_HUB_SNAPSHOTS: return sdw_hub_path(ret_path, err, "%s/%s/snapshots", root, folder);
    case SDW_HUB_SNAPSHOT: return sdw_hub_path(ret_path, err, "%s/%s/snapshots/%s", root, folder, name);
    case SDW_HUB_TREE: return sdw_hub_path(ret_path, err, "%s/%s/trees/%s.json", root, folder, name);
    case SDW_HUB_NO_EXIST: return sdw_hub_path(ret_path, err, "%s/%s/.no_exist/%s", root, folder, name);
    case SDW_HUB_LOCK: return sdw_hub_path(ret_path, err, "%s/.locks/%s/%s.lock", root, folder, name);
    }
    return sdw_fail(err, SDW_INTERNAL, "cache: place %d does not exist", (int)place);
}

/* The whole of a short file, without trailing blanks. */
static sdw_status read_short(const char *path, char *ret, size_t size, sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sdw_fail(err, errno == ENOENT || errno == ENOTDIR ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path, strerror(errno));
    ssize_t n = read(fd, ret, size - 1);
    int error = errno;
    close(fd);
    if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(error));
    while (n > 0 && strchr(" \t\r\n", ret[n - 1])) n--;
    ret[n] = '\0';
    return SDW_OK;
}

sdw_status sdw_hub_cache_commit(const char *root, const char *id, const char *revision, char ret_commit[SDW_HUB_COMMIT_SIZE],
                                sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], text[64];
    if (sdw_hub_is_commit(revision)) {
        snprintf(ret_commit, SDW_HUB_COMMIT_SIZE, "%s", revision);
        return SDW_OK;
    }
    sdw_status s = sdw_hub_place_of(root, id, SDW_HUB_REF, revision, path, err);
    if (s == SDW_OK) s = read_short(path, text, sizeof text, err);
    if (s != SDW_OK) return s;
    if (!sdw_hub_is_commit(text)) return sdw_fail(err, SDW_FORMAT, "%s: holds '%.50s', want a commit of 40 hex digits", path, text);
    memcpy(ret_commit, text, SDW_HUB_COMMIT_SIZE);
    return SDW_OK;
}

/* ---- walks ---- */

sdw_status sdw_hub_cache_repos(const char *root, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err)
{
    char id[SDW_HUB_ID_SIZE];
    sdw_hub_dir d = { 0 };
    sdw_status s = sdw_hub_dir_read(root, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++)
        if (sdw_hub_id_of_folder(d.names[i], id)) s = visit(ctx, id, err);
    sdw_hub_dir_finish(&d);
    return s;
}

sdw_status sdw_hub_cache_snapshots(const char *root, const char *id, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_dir d = { 0 };
    sdw_status s = sdw_hub_place_of(root, id, SDW_HUB_SNAPSHOTS, "", path, err);
    if (s == SDW_OK) s = sdw_hub_dir_read(path, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++)
        if (sdw_hub_is_commit(d.names[i])) s = visit(ctx, d.names[i], err);
    sdw_hub_dir_finish(&d);
    return s;
}

/* A folder being walked: `within` is the path below the start, "" or ending in '/'. */
typedef struct walk {
    const char *start;
    sdw_status (*file)(struct walk *w, const char *path, const char *within, sdw_error *err); /* path on disk, path below start */
    sdw_hub_visit_fn *visit;
    void *ctx;
    sdw_hub_listing *listing;
} walk;

static sdw_status walk_folder(walk *w, const char *within, int depth, sdw_error *err);

static sdw_status walk_name(walk *w, const char *within, const char *name, int depth, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], below[SDW_HUB_PATH_MAX];
    struct stat st;
    sdw_status s = sdw_hub_path(below, err, "%s%s", within, name);
    if (s == SDW_OK) s = sdw_hub_path(path, err, "%s/%s", w->start, below);
    if (s != SDW_OK) return s;
    if (lstat(path, &st) != 0) return SDW_OK; /* gone meanwhile */
    if (!S_ISDIR(st.st_mode)) return w->file(w, path, below, err);
    if (depth >= DEPTH_MAX) return sdw_fail(err, SDW_LIMIT, "%s: folders nested more than %d deep", path, DEPTH_MAX);
    s = sdw_hub_path(below, err, "%s%s/", within, name);
    return s == SDW_OK ? walk_folder(w, below, depth + 1, err) : s;
}

static sdw_status walk_folder(walk *w, const char *within, int depth, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_dir d = { 0 };
    sdw_status s = sdw_hub_path(path, err, "%s/%s", w->start, within);
    if (s == SDW_OK) s = sdw_hub_dir_read(path, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++) s = walk_name(w, within, d.names[i], depth, err);
    sdw_hub_dir_finish(&d);
    return s;
}

static sdw_status visit_ref(walk *w, const char *path, const char *within, sdw_error *err)
{
    size_t n = strlen(within);
    (void)path;
    if (n > 4 && !strcmp(within + n - 4, ".tmp")) return SDW_OK; /* being written */
    return w->visit(w->ctx, within, err);
}

sdw_status sdw_hub_cache_refs(const char *root, const char *id, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    walk w = { .start = path, .file = visit_ref, .visit = visit, .ctx = ctx };
    sdw_status s = sdw_hub_place_of(root, id, SDW_HUB_REFS, "", path, err);
    return s == SDW_OK ? walk_folder(&w, "", 0, err) : s;
}

static sdw_status list_file(walk *w, const char *path, const char *within, sdw_error *err)
{
    char target[SDW_HUB_PATH_MAX];
    struct stat st;
    const char *hash = "";
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return SDW_OK;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n > 0) {
        target[n] = '\0';
        const char *slash = strrchr(target, '/');
        const char *name = slash ? slash + 1 : target;
        if (sdw_hub_is_hash(name)) hash = name;
    }
    if (sdw_hub_check_file(within, strlen(within), NULL) != SDW_OK) return SDW_OK; /* no repository has such a file */
    return sdw_hub_listing_add(w->listing, within, strlen(within), (uint64_t)st.st_size, hash, "", err);
}

sdw_status sdw_hub_cache_files(const char *folder, sdw_hub_listing *ret, sdw_error *err)
{
    sdw_hub_listing listing = { 0 };
    walk w = { .start = folder, .file = list_file, .listing = &listing };
    sdw_status s = walk_folder(&w, "", 0, err);
    if (s == SDW_OK) s = sdw_hub_listing_sort(&listing, err);
    if (s == SDW_OK) *ret = listing;
    else sdw_hub_listing_finish(&listing);
    return s;
}
