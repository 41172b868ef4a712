/* cache_write.c - see cache_write.h. */
#include "hub/cache_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "hub/folders.h"

#define COPY_BYTES ((size_t)1 << 20)

sdw_status sdw_hub_cache_prepare(const char *root, sdw_error *err)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                              "# Downloads of models: backup programs may leave this folder out.\n";
    char path[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_path(path, err, "%s/CACHEDIR.TAG", root);
    if (s != SDW_OK || access(path, F_OK) == 0) return s;
    return sdw_hub_write_file(path, tag, sizeof tag - 1, err);
}

sdw_status sdw_hub_cache_write_ref(const char *root, const char *id, const char *revision, const char *commit, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], now[SDW_HUB_COMMIT_SIZE];
    if (sdw_hub_is_commit(revision)) return SDW_OK;
    if (sdw_hub_cache_commit(root, id, revision, now, NULL) == SDW_OK && !strcmp(now, commit)) return SDW_OK;
    sdw_status s = sdw_hub_place_of(root, id, SDW_HUB_REF, revision, path, err);
    return s == SDW_OK ? sdw_hub_write_file(path, commit, strlen(commit), err) : s;
}

sdw_status sdw_hub_cache_write_tree(const char *root, const char *id, const char *commit, const sdw_hub_listing *l, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], *text = NULL;
    size_t size = 0;
    sdw_status s = sdw_hub_place_of(root, id, SDW_HUB_TREE, commit, path, err);
    if (s != SDW_OK || access(path, F_OK) == 0) return s;
    s = sdw_hub_listing_write(l, &text, &size, err);
    if (s == SDW_OK) s = sdw_hub_write_file(path, text, size, err);
    sdw_free(text);
    return s;
}

/* Path of a file of the commit, in snapshots/ or .no_exist/. */
static sdw_status place_in_commit(const char *root, const char *id, sdw_hub_place place, const char *commit, const char *file,
                                  char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    char name[SDW_HUB_COMMIT_SIZE + SDW_HUB_FILE_SIZE];
    snprintf(name, sizeof name, "%s/%s", commit, file);
    return sdw_hub_place_of(root, id, place, name, ret_path, err);
}

sdw_status sdw_hub_cache_mark_absent(const char *root, const char *id, const char *commit, const char *file, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_status s = place_in_commit(root, id, SDW_HUB_NO_EXIST, commit, file, path, err);
    if (s == SDW_OK && access(path, F_OK) != 0) s = sdw_hub_write_file(path, "", 0, err);
    return s;
}

/* ---- snapshots ---- */

/* "../../blobs/HASH", with one more "../" per folder within the repository. */
static sdw_status link_target(const sdw_hub_pointer *p, char ret[SDW_HUB_PATH_MAX], sdw_error *err)
{
    char up[SDW_HUB_FILE_SIZE * 2] = "";
    size_t n = 0;
    for (const char *c = p->file; (c = strchr(c, '/')) && n + 4 < sizeof up; c++) n += (size_t)snprintf(up + n, sizeof up - n, "../");
    return sdw_hub_path(ret, err, "../../%sblobs/%s", up, p->hash);
}

static bool leads_to(const char *path, const char *target)
{
    char now[SDW_HUB_PATH_MAX];
    ssize_t n = readlink(path, now, sizeof now - 1);
    if (n < 0) return false;
    now[n] = '\0';
    return !strcmp(now, target);
}

static bool no_such_ability(int error)
{
    return error == EPERM || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL;
}

/* SDW_UNSUPPORTED where the file system has no symbolic links. */
static sdw_status make_link(const char *path, const char *target, sdw_error *err)
{
    char temporary[SDW_HUB_PATH_MAX];
    if (symlink(target, path) == 0 || (errno == EEXIST && leads_to(path, target))) return SDW_OK;
    if (errno != EEXIST)
        return sdw_fail(err, no_such_ability(errno) ? SDW_UNSUPPORTED : SDW_IO, "%s: cannot make the link: %s", path, strerror(errno));
    sdw_status s = sdw_hub_path(temporary, err, "%s.%ld.tmp", path, (long)getpid());
    if (s != SDW_OK) return s;
    unlink(temporary);
    if (symlink(target, temporary) == 0 && rename(temporary, path) == 0) return SDW_OK;
    s = sdw_fail(err, no_such_ability(errno) ? SDW_UNSUPPORTED : SDW_IO, "%s: cannot make the link: %s", path, strerror(errno));
    unlink(temporary);
    return s;
}

static sdw_status copy_bytes(int from, int to, const char *path, sdw_error *err)
{
    char *piece = sdw_malloc(COPY_BYTES);
    if (!piece) return sdw_fail_memory(err, path, COPY_BYTES);
    ssize_t n = 1, done = 0;
    while (n > 0 && done >= 0) {
        n = read(from, piece, COPY_BYTES);
        for (ssize_t at = 0; at < n && done >= 0; at += done) done = write(to, piece + at, (size_t)(n - at));
    }
    int error = errno;
    sdw_free(piece);
    if (n == 0 && done >= 0 && fsync(to) == 0) return SDW_OK;
    return sdw_fail(err, SDW_IO, "%s: cannot copy the blob: %s", path, strerror(error));
}

static sdw_status copy_file(const char *blob, const char *path, sdw_error *err)
{
    char temporary[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_path(temporary, err, "%s.%ld.tmp", path, (long)getpid());
    if (s != SDW_OK) return s;
    int from = open(blob, O_RDONLY | O_CLOEXEC), to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (from < 0 || to < 0) s = sdw_fail(err, SDW_IO, "%s: cannot copy the blob: %s", path, strerror(errno));
    else s = copy_bytes(from, to, path, err);
    if (from >= 0) close(from);
    if (to >= 0 && close(to) != 0 && s == SDW_OK) s = sdw_fail(err, SDW_IO, "%s: cannot copy the blob: %s", path, strerror(errno));
    if (s == SDW_OK && rename(temporary, path) != 0) s = sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", path, strerror(errno));
    if (s != SDW_OK) unlink(temporary);
    return s;
}

static sdw_status make_file(const sdw_hub_pointer *p, const char *path, sdw_error *err)
{
    char blob[SDW_HUB_PATH_MAX];
    struct stat there, ours;
    sdw_status s = sdw_hub_place_of(p->root, p->id, SDW_HUB_BLOB, p->hash, blob, err);
    if (s != SDW_OK) return s;
    if (stat(blob, &ours) != 0) return sdw_fail(err, SDW_IO, "%s: cannot stat: %s", blob, strerror(errno));
    if (lstat(path, &there) == 0 && S_ISREG(there.st_mode) && there.st_size == ours.st_size && !p->may_move) return SDW_OK;
    if (!p->may_move) return copy_file(blob, path, err);
    return rename(blob, path) == 0 ? SDW_OK : sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", path, strerror(errno));
}

sdw_status sdw_hub_cache_point(const sdw_hub_pointer *p, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], target[SDW_HUB_PATH_MAX];
    sdw_status s = place_in_commit(p->root, p->id, SDW_HUB_SNAPSHOT, p->commit, p->file, path, err);
    if (s == SDW_OK) s = sdw_hub_make_parents(path, err);
    if (s == SDW_OK) s = link_target(p, target, err);
    if (s != SDW_OK) return s;
    s = p->no_symlinks ? SDW_UNSUPPORTED : make_link(path, target, err);
    return s == SDW_UNSUPPORTED ? make_file(p, path, err) : s;
}
