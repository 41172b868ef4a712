/* catalog_remove.c - taking a model away. What is removed whole is first renamed out of sight, so that a run that is
 * killed half-way leaves no half model; the next run clears it. A single snapshot loses its refs first, then its links,
 * then the blobs that nobody else needs: at every moment what is left is consistent. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "hub/catalog_impl.h"
#include "hub/folders.h"
#include "hub/lock.h"

#define ASIDE ".sdw-removed-"
enum { DEPTH_MAX = 32, LOCKS_MAX = 512 };

/* ---- trees ---- */

static sdw_status failed(const char *what, const char *name, sdw_error *err)
{
    return sdw_fail(err, SDW_IO, "%s: cannot %s: %s", name, what, strerror(errno));
}

static sdw_status remove_at(int folder, const char *name, int depth, bool dry, sdw_removed *r, sdw_error *err);

/* Takes fd. */
static sdw_status empty_folder(int fd, const char *name, int depth, bool dry, sdw_removed *r, sdw_error *err)
{
    sdw_status s = SDW_OK;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return failed("list", name, err);
    }
    for (struct dirent *e; s == SDW_OK && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) s = remove_at(dirfd(d), e->d_name, depth + 1, dry, r, err);
    closedir(d);
    return s;
}

/* Links are removed and never followed, at any level: names are taken relative to the open folder above them. */
static sdw_status remove_at(int folder, const char *name, int depth, bool dry, sdw_removed *r, sdw_error *err)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? SDW_OK : failed("stat", name, err);
    if (!S_ISDIR(st.st_mode)) {
        if (S_ISREG(st.st_mode)) {
            r->files++;
            r->bytes += st.st_nlink == 1 ? (uint64_t)st.st_size : 0;
        }
        return dry || unlinkat(folder, name, 0) == 0 || errno == ENOENT ? SDW_OK : failed("remove", name, err);
    }
    if (depth >= DEPTH_MAX) return sdw_fail(err, SDW_LIMIT, "%s: folders nested more than %d deep", name, DEPTH_MAX);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return failed("open", name, err);
    sdw_status s = empty_folder(fd, name, depth, dry, r, err);
    if (s != SDW_OK || dry) return s;
    return unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? SDW_OK : failed("remove", name, err);
}

static sdw_status remove_tree(const char *path, bool dry, sdw_removed *r, sdw_error *err)
{
    return remove_at(AT_FDCWD, path, 0, dry, r, err);
}

/* Out of sight at once, then away, with what an earlier run left. */
static sdw_status remove_whole(const char *root, const char *path, bool dry, sdw_removed *r, sdw_error *err)
{
    char aside[SDW_HUB_PATH_MAX];
    sdw_hub_dir d = { 0 };
    sdw_status s = remove_tree(path, true, r, err); /* counts */
    if (s != SDW_OK || dry) return s;
    s = sdw_hub_path(aside, err, "%s/" ASIDE "%ld", root, (long)getpid());
    if (s == SDW_OK && rename(path, aside) != 0) s = failed("remove", path, err);
    if (s == SDW_OK) s = sdw_hub_dir_read(root, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++) {
        sdw_removed left = { 0 };
        if (strncmp(d.names[i], ASIDE, sizeof ASIDE - 1)) continue;
        s = sdw_hub_path(aside, err, "%s/%s", root, d.names[i]);
        if (s == SDW_OK) s = remove_tree(aside, false, &left, err);
    }
    sdw_hub_dir_finish(&d);
    return s;
}

/* ---- locks ---- */

typedef struct locks {
    sdw_hub_lock held[LOCKS_MAX];
    int count;
} locks;

static void release_all(locks *l)
{
    for (int i = 0; i < l->count; i++) sdw_hub_lock_release(&l->held[i]);
    l->count = 0;
}

static sdw_status take_lock(locks *l, const char *path, const char *what, sdw_error *err)
{
    sdw_hub_lock lock;
    sdw_status s = sdw_hub_lock_try(path, what, &lock, err);
    if (s != SDW_OK) return s;
    if (l->count < LOCKS_MAX) l->held[l->count++] = lock;
    else sdw_hub_lock_release(&lock); /* it was free when we looked */
    return SDW_OK;
}

/* Whoever downloads a file of the repository holds its lock. */
static sdw_status lock_repo(const char *root, const char *id, locks *l, sdw_error *err)
{
    char folder[SDW_HUB_PATH_MAX], path[SDW_HUB_PATH_MAX], name[SDW_HUB_FOLDER_SIZE];
    sdw_hub_dir d = { 0 };
    sdw_hub_folder_of_id(id, name);
    sdw_status s = sdw_hub_path(folder, err, "%s/.locks/%s", root, name);
    if (s == SDW_OK) s = sdw_hub_dir_read(folder, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++) {
        if (!sdw_catalog_ends_with(d.names[i], ".lock")) continue;
        s = sdw_hub_path(path, err, "%s/%s", folder, d.names[i]);
        if (s == SDW_OK) s = take_lock(l, path, id, err);
    }
    sdw_hub_dir_finish(&d);
    return s;
}

/* ---- the cache ---- */

typedef struct repo {
    const char *root, *id, *commit; /* commit: to be removed */
    bool dry, others;               /* others: there are further snapshots */
    sdw_hub_listing kept;           /* files of all of them */
    sdw_removed *removed;
} repo;

/* Appends the files of another snapshot; only their hashes count, so the list is not sorted. */
static sdw_status keep_snapshot(void *ctx, const char *commit, sdw_error *err)
{
    repo *r = ctx;
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_listing l = { 0 };
    if (!strcmp(commit, r->commit)) return SDW_OK;
    r->others = true;
    sdw_status s = sdw_hub_place_of(r->root, r->id, SDW_HUB_SNAPSHOT, commit, path, err);
    if (s == SDW_OK) s = sdw_hub_cache_files(path, &l, err);
    for (size_t i = 0; s == SDW_OK && i < l.count; i++)
        s = sdw_hub_listing_add(&r->kept, l.entries[i].path, strlen(l.entries[i].path), l.entries[i].size, l.entries[i].hash, "", err);
    sdw_hub_listing_finish(&l);
    return s;
}

static bool is_kept(const repo *r, const char *hash)
{
    for (size_t i = 0; i < r->kept.count; i++)
        if (!strcmp(r->kept.entries[i].hash, hash)) return true;
    return false;
}

static sdw_status remove_ref(void *ctx, const char *name, sdw_error *err)
{
    const repo *r = ctx;
    char commit[SDW_HUB_COMMIT_SIZE], path[SDW_HUB_PATH_MAX];
    if (sdw_hub_cache_commit(r->root, r->id, name, commit, NULL) != SDW_OK || strcmp(commit, r->commit)) return SDW_OK;
    sdw_status s = sdw_hub_place_of(r->root, r->id, SDW_HUB_REF, name, path, err);
    return s != SDW_OK || r->dry || unlink(path) == 0 || errno == ENOENT ? s : failed("remove", path, err);
}

static sdw_status remove_blobs(const repo *r, const sdw_hub_listing *files, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_status s = SDW_OK;
    for (size_t i = 0; s == SDW_OK && i < files->count; i++) {
        const char *hash = files->entries[i].hash;
        bool again = false;
        for (size_t k = 0; k < i && !again; k++) again = !strcmp(files->entries[k].hash, hash);
        if (!hash[0] || again) continue;
        if (is_kept(r, hash)) {
            r->removed->kept_blobs++;
            continue;
        }
        s = sdw_hub_place_of(r->root, r->id, SDW_HUB_BLOB, hash, path, err);
        if (s == SDW_OK) s = remove_tree(path, r->dry, r->removed, err);
    }
    return s;
}

static sdw_status remove_snapshot(repo *r, sdw_error *err)
{
    static const sdw_hub_place places[] = { SDW_HUB_SNAPSHOT, SDW_HUB_TREE, SDW_HUB_NO_EXIST };
    char path[SDW_HUB_PATH_MAX];
    sdw_removed small = { 0 }; /* listings and markers are not worth telling */
    sdw_hub_listing files = { 0 };
    sdw_status s = sdw_hub_place_of(r->root, r->id, SDW_HUB_SNAPSHOT, r->commit, path, err);
    if (s == SDW_OK) s = sdw_hub_cache_files(path, &files, err);
    if (s == SDW_OK) s = sdw_hub_cache_refs(r->root, r->id, remove_ref, r, err);
    for (size_t i = 0; s == SDW_OK && i < sizeof places / sizeof places[0]; i++) {
        s = sdw_hub_place_of(r->root, r->id, places[i], r->commit, path, err);
        if (s == SDW_OK) s = remove_tree(path, r->dry, i == 0 ? r->removed : &small, err);
    }
    if (s == SDW_OK) s = remove_blobs(r, &files, err);
    sdw_hub_listing_finish(&files);
    return s;
}

static sdw_status remove_repo(const repo *r, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], name[SDW_HUB_FOLDER_SIZE];
    struct stat st;
    sdw_removed small = { 0 };
    sdw_hub_folder_of_id(r->id, name);
    sdw_status s = sdw_hub_place_of(r->root, r->id, SDW_HUB_REPO, "", path, err);
    if (s == SDW_OK && (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        return sdw_fail(err, SDW_INVALID, "%s: is no folder of the cache itself (a link?), so it is not removed", path);
    if (s == SDW_OK) s = remove_whole(r->root, path, r->dry, r->removed, err);
    if (s == SDW_OK) s = sdw_hub_path(path, err, "%s/.locks/%s", r->root, name);
    return s == SDW_OK ? remove_tree(path, r->dry, &small, err) : s;
}

static sdw_status remove_cached(const sdw_catalog_places *places, const sdw_catalog *found, bool dry, sdw_removed *ret, sdw_error *err)
{
    const sdw_catalog_entry *e = found->entries;
    if (sdw_catalog_ends_with(e->path, ".safetensors"))
        return sdw_fail(err, SDW_INVALID, "%s: is one file of a snapshot; sdw rm %s@%s removes the snapshot", e->path, e->id, e->commit);
    locks *l = sdw_calloc(1, sizeof *l);
    if (!l) return sdw_fail_memory(err, "locks", sizeof *l);
    repo r = { .root = places->cache, .id = found->entries[0].id, .commit = found->entries[0].commit, .dry = dry, .removed = ret };
    sdw_status s = lock_repo(r.root, r.id, l, err);
    if (s == SDW_OK && found->count == 1 && r.commit[0]) s = sdw_hub_cache_snapshots(r.root, r.id, keep_snapshot, &r, err);
    if (s == SDW_OK) s = r.others ? remove_snapshot(&r, err) : remove_repo(&r, err);
    sdw_hub_listing_finish(&r.kept);
    release_all(l);
    sdw_free(l);
    return s;
}

/* ---- the shared folder ---- */

/* A folder of one model, not one with the models of everybody in an organisation. */
static bool holds_model(const char *folder)
{
    sdw_hub_dir d = { 0 };
    bool yes = sdw_catalog_is_folder_model(folder);
    if (!yes && sdw_hub_dir_read(folder, &d, NULL) == SDW_OK)
        for (size_t i = 0; i < d.count && !yes; i++)
            yes = sdw_catalog_ends_with(d.names[i], ".safetensors") || sdw_catalog_ends_with(d.names[i], SDW_CATALOG_PARTIAL);
    sdw_hub_dir_finish(&d);
    return yes;
}

static sdw_status remove_shared(const sdw_catalog_places *places, const sdw_catalog_entry *e, bool dry, sdw_removed *ret, sdw_error *err)
{
    static const char *const beside[] = { "", SDW_CATALOG_PARTIAL, ".sdw.json" };
    char path[SDW_HUB_PATH_MAX], target[SDW_HUB_PATH_MAX];
    struct stat st;
    locks *l = NULL;
    size_t n = strlen(e->path), k = sizeof SDW_CATALOG_PARTIAL - 1;
    if (lstat(e->path, &st) != 0) return failed("find", e->path, err);
    if (S_ISDIR(st.st_mode) && !holds_model(e->path))
        return sdw_fail(err, SDW_INVALID, "%s: holds neither model_index.json nor a .safetensors file, so it is no model; it is not removed", e->path);
    if (S_ISDIR(st.st_mode)) return remove_whole(places->models, e->path, dry, ret, err);
    sdw_status s = sdw_hub_path(target, err, "%.*s", (int)(sdw_catalog_ends_with(e->path, SDW_CATALOG_PARTIAL) ? n - k : n), e->path);
    if (s == SDW_OK) s = sdw_hub_path(path, err, "%s.sdw.lock", target);
    if (s == SDW_OK && !(l = sdw_calloc(1, sizeof *l))) s = sdw_fail_memory(err, "locks", sizeof *l);
    if (s == SDW_OK && stat(path, &st) == 0) s = take_lock(l, path, target, err);
    for (size_t i = 0; s == SDW_OK && i < sizeof beside / sizeof beside[0]; i++) {
        s = sdw_hub_path(path, err, "%s%s", target, beside[i]);
        if (s == SDW_OK) s = remove_tree(path, dry, ret, err);
    }
    if (l) release_all(l);
    sdw_free(l);
    return s;
}

sdw_status sdw_catalog_remove(const sdw_catalog_places *places, const sdw_catalog *found, bool dry, sdw_removed *ret, sdw_error *err)
{
    sdw_removed removed = { 0 };
    const sdw_catalog_entry *e = found->entries;
    sdw_status s;
    if (!found->count) return sdw_fail(err, SDW_INTERNAL, "nothing to remove was found");
    if (e->place == SDW_CATALOG_HUB) s = remove_cached(places, found, dry, &removed, err);
    else if (e->place == SDW_CATALOG_MODELS) s = remove_shared(places, e, dry, &removed, err);
    else
        s = sdw_fail(err, SDW_INVALID, "%s: lies outside of %s and %s, where alone models are removed", e->path,
                     places->cache ? places->cache : "-", places->models ? places->models : "-");
    if (s == SDW_OK) *ret = removed;
    return s;
}
