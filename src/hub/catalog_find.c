/* catalog_find.c - what a name means among the models that are here, whole or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/aliases.h"
#include "hub/catalog_impl.h"
#include "hub/resolve.h"

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool sdw_catalog_below(const char *root, const char *path, char ret_rest[SDW_HUB_PATH_MAX])
{
    char real_root[SDW_HUB_PATH_MAX], real_path[SDW_HUB_PATH_MAX];
    if (!root || !realpath(root, real_root) || !realpath(path, real_path)) return false;
    size_t n = strlen(real_root);
    if (strncmp(real_path, real_root, n) != 0 || real_path[n] != '/' || !real_path[n + 1]) return false;
    return sdw_hub_path(ret_rest, NULL, "%s", real_path + n + 1) == SDW_OK;
}

/* "models--ORG--NAME/snapshots/COMMIT", with or without something behind it. */
static bool parse_snapshot(const char *rest, char id[SDW_HUB_ID_SIZE], char commit[SDW_HUB_COMMIT_SIZE])
{
    static const char snapshots[] = "/snapshots/";
    char folder[SDW_HUB_FOLDER_SIZE];
    const char *slash = strchr(rest, '/');
    if (!slash || (size_t)(slash - rest) >= sizeof folder || strncmp(slash, snapshots, sizeof snapshots - 1)) return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - rest), rest);
    snprintf(commit, SDW_HUB_COMMIT_SIZE, "%.40s", slash + sizeof snapshots - 1);
    return sdw_hub_is_commit(commit) && sdw_hub_id_of_folder(folder, id);
}

/* A path is what it is, and belongs to the place that it lies in. A file of a snapshot leads out to its blob, so the
 * folder above it tells the place. */
static sdw_status add_path(const sdw_catalog_places *p, const char *path, sdw_catalog *c, sdw_error *err)
{
    char rest[SDW_HUB_PATH_MAX], above[SDW_HUB_PATH_MAX], id[SDW_HUB_ID_SIZE], commit[SDW_HUB_COMMIT_SIZE];
    struct stat st;
    sdw_catalog_entry *e = NULL;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    sdw_status s = sdw_hub_path(above, err, "%s", path);
    if (s != SDW_OK) return s;
    char *slash = strrchr(above, '/');
    if (!folder && slash) *slash = '\0';
    else if (!folder) snprintf(above, sizeof above, ".");
    if (sdw_catalog_below(p->cache, above, rest) && parse_snapshot(rest, id, commit)) {
        s = sdw_catalog_add(c, SDW_CATALOG_HUB, path, path, &e, err);
        if (s != SDW_OK) return s;
        memcpy(e->id, id, sizeof id);
        memcpy(e->commit, commit, sizeof commit);
        return SDW_OK;
    }
    bool shared = sdw_catalog_below(p->models, path, rest);
    return sdw_catalog_add(c, shared ? SDW_CATALOG_MODELS : SDW_CATALOG_GIVEN, path, path, &e, err);
}

static sdw_status find_shared(const sdw_catalog_places *p, const char *id, sdw_catalog *c, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], joined[SDW_HUB_ID_SIZE] = "";
    sdw_catalog_entry *e;
    const char *slash = strchr(id, '/');
    if (slash) snprintf(joined, sizeof joined, "%.*s-%s", (int)(slash - id), id, slash + 1);
    const char *const names[] = { id, slash ? joined : id, slash ? slash + 1 : id };
    for (size_t i = 0; p->models && i < 3 && !c->count; i++) {
        struct stat st;
        sdw_status s = sdw_hub_path(path, err, "%s/%s", p->models, names[i]);
        if (s == SDW_OK && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) s = sdw_catalog_add(c, SDW_CATALOG_MODELS, names[i], path, &e, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

typedef struct snapshots {
    const sdw_catalog_places *places;
    const char *id;
    sdw_catalog *catalog;
} snapshots;

static sdw_status add_snapshot(void *ctx, const char *commit, sdw_error *err)
{
    const snapshots *w = ctx;
    return sdw_catalog_add_snapshot(w->places, w->id, commit, false, w->catalog, err);
}

static sdw_status find_cached(const sdw_catalog_places *p, const char *id, const char *revision, sdw_catalog *c, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], commit[SDW_HUB_COMMIT_SIZE];
    sdw_catalog_entry *e = NULL;
    if (!p->cache) return SDW_OK;
    sdw_status s = sdw_hub_place_of(p->cache, id, SDW_HUB_REPO, "", path, err);
    if (s != SDW_OK || !exists(path)) return s;
    if (revision[0]) {
        s = sdw_hub_cache_commit(p->cache, id, revision, commit, err);
        if (s == SDW_OK) s = sdw_hub_place_of(p->cache, id, SDW_HUB_SNAPSHOT, commit, path, err);
        if (s == SDW_OK && !exists(path)) return sdw_fail(err, SDW_NOT_FOUND, "%s: no snapshot of %s@%s", path, id, revision);
        return s == SDW_OK ? sdw_catalog_add_snapshot(p, id, commit, false, c, err) : s;
    }
    snapshots w = { p, id, c };
    s = sdw_hub_cache_snapshots(p->cache, id, add_snapshot, &w, err);
    if (s != SDW_OK || c->count) return s;
    s = sdw_catalog_add(c, SDW_CATALOG_HUB, id, path, &e, err); /* begun, without a snapshot yet */
    if (s == SDW_OK) snprintf(e->id, sizeof e->id, "%s", id);
    return s;
}

static sdw_status find_name(const sdw_catalog_places *p, const char *name, sdw_catalog *c, sdw_error *err)
{
    sdw_hub_name parsed = { 0 };
    const sdw_hub_alias *alias = sdw_hub_alias_find(name);
    const char *one[] = { parsed.id, NULL }, *const *ids = alias ? alias->repositories : one;
    sdw_status s = alias ? SDW_OK : sdw_hub_name_parse(name, NULL, &parsed, err);
    for (size_t i = 0; s == SDW_OK && !c->count && ids[i] && !parsed.revision[0]; i++) s = find_shared(p, ids[i], c, err);
    for (size_t i = 0; s == SDW_OK && !c->count && ids[i]; i++) s = find_cached(p, ids[i], parsed.revision, c, err);
    if (s == SDW_OK && !c->count)
        s = sdw_fail(err, SDW_NOT_FOUND, "model '%.80s' is not on this machine (looked for that path, %.150s, %.150s)", name,
                     p->models ? p->models : "-", p->cache ? p->cache : "-");
    return s;
}

sdw_status sdw_catalog_find(const sdw_catalog_places *places, const char *name, sdw_catalog *ret, sdw_error *err)
{
    char partial[SDW_HUB_PATH_MAX];
    sdw_catalog c = { 0 };
    sdw_status s = sdw_hub_path(partial, err, "%s" SDW_CATALOG_PARTIAL, name);
    if (s != SDW_OK) return s;
    if (exists(name)) s = add_path(places, name, &c, err);
    else if (exists(partial)) s = add_path(places, partial, &c, err);
    else if (sdw_hub_is_path(name)) s = sdw_fail(err, SDW_NOT_FOUND, "%s: no such file or folder, want a model", name);
    else s = find_name(places, name, &c, err);
    if (s == SDW_OK) *ret = c;
    else sdw_catalog_finish(&c);
    return s;
}
