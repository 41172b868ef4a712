/* catalog.c - walks over the places where models lie. */
#include "hub/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "hub/catalog_impl.h"
#include "hub/folders.h"

#define MODEL_FILE ".safetensors"
#define DEPTH 2             /* ORG/NAME below a folder of models */
#define ENTRIES_MAX 100000

const char *sdw_catalog_place_name(sdw_catalog_place p)
{
    static const char *const names[] = {
#define X(name, text, meaning) [SDW_CATALOG_##name] = text,
        SDW_CATALOG_PLACE_LIST(X)
#undef X
    };
    return names[p];
}

const char *sdw_catalog_state_name(sdw_catalog_state s)
{
    static const char *const names[] = {
#define X(name, text, meaning) [SDW_CATALOG_##name] = text,
        SDW_CATALOG_STATE_LIST(X)
#undef X
    };
    return names[s];
}

/* ---- entries ---- */

sdw_status sdw_catalog_add(sdw_catalog *c, sdw_catalog_place place, const char *name, const char *path, sdw_catalog_entry **ret,
                           sdw_error *err)
{
    if (c->count >= ENTRIES_MAX) return sdw_fail(err, SDW_LIMIT, "%s: more than %d models", path, ENTRIES_MAX);
    if (c->count == c->capacity) {
        size_t more = c->capacity ? 2 * c->capacity : 16;
        sdw_catalog_entry *entries = sdw_realloc(c->entries, more * sizeof *entries);
        if (!entries) return sdw_fail_memory(err, "catalogue", more * sizeof *entries);
        c->entries = entries;
        c->capacity = more;
    }
    sdw_catalog_entry e = { .name = sdw_strdup(name), .path = sdw_strdup(path), .place = place };
    if (!e.name || !e.path) {
        sdw_free(e.name);
        sdw_free(e.path);
        return sdw_fail_memory(err, "catalogue", strlen(path) + 1);
    }
    c->entries[c->count] = e;
    *ret = &c->entries[c->count++];
    return SDW_OK;
}

static void finish_entry(sdw_catalog_entry *e)
{
    sdw_free(e->name);
    sdw_free(e->path);
    sdw_free(e->problem);
    *e = (sdw_catalog_entry){ 0 };
}

void sdw_catalog_finish(sdw_catalog *c)
{
    for (size_t i = 0; i < c->count; i++) finish_entry(&c->entries[i]);
    sdw_free(c->entries);
    *c = (sdw_catalog){ 0 };
}

/* Takes the latest entry back. */
static void drop(sdw_catalog *c)
{
    finish_entry(&c->entries[--c->count]);
}

bool sdw_catalog_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool sdw_catalog_is_folder_model(const char *path)
{
    char index[SDW_HUB_PATH_MAX];
    struct stat st;
    return sdw_hub_path(index, NULL, "%s/model_index.json", path) == SDW_OK && stat(index, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- folders of models ---- */

typedef struct scan {
    const sdw_catalog_places *places;
    sdw_catalog *catalog;
    sdw_catalog_place place;
    const char *root;       /* names of the shared folder are relative to it */
} scan;

/* A file of another kind, such as an adapter, is no model and no mistake. */
static sdw_status add_path(const scan *s, const char *path, bool keep_unsupported, sdw_error *err)
{
    sdw_catalog_entry *e = NULL;
    size_t n = strlen(s->root);
    bool relative = s->place == SDW_CATALOG_MODELS && is_folder(path) && !strncmp(path, s->root, n) && path[n] == '/';
    sdw_status status = sdw_catalog_add(s->catalog, s->place, relative ? path + n + 1 : path, path, &e, err);
    if (status == SDW_OK) status = sdw_catalog_describe(s->places, e, err);
    if (status == SDW_OK && e->state == SDW_CATALOG_UNSUPPORTED && !keep_unsupported) drop(s->catalog);
    return status;
}

static sdw_status add_partial(const scan *s, const char *path, sdw_error *err)
{
    char target[SDW_HUB_PATH_MAX];
    struct stat st;
    sdw_catalog_entry *e = NULL;
    sdw_status status = sdw_hub_path(target, err, "%.*s", (int)(strlen(path) - strlen(SDW_CATALOG_PARTIAL)), path);
    if (status == SDW_OK) status = sdw_catalog_add(s->catalog, s->place, target, target, &e, err);
    if (status != SDW_OK) return status;
    e->bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    return sdw_catalog_set_problem(e, SDW_CATALOG_INCOMPLETE, "the download is not finished", err);
}

static sdw_status scan_folder(const scan *s, const char *folder, int depth, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_dir d = { 0 };
    sdw_status status = sdw_hub_dir_read(folder, &d, err);
    for (size_t i = 0; status == SDW_OK && i < d.count; i++) {
        if (d.names[i][0] == '.') continue;
        status = sdw_hub_path(path, err, "%s/%s", folder, d.names[i]);
        if (status != SDW_OK) break;
        if (is_folder(path)) {
            if (sdw_catalog_is_folder_model(path)) status = add_path(s, path, true, err);
            else if (depth > 1) status = scan_folder(s, path, depth - 1, err);
        } else if (sdw_catalog_ends_with(path, MODEL_FILE)) {
            status = add_path(s, path, false, err);
        } else if (sdw_catalog_ends_with(path, MODEL_FILE SDW_CATALOG_PARTIAL)) {
            status = add_partial(s, path, err);
        }
    }
    sdw_hub_dir_finish(&d);
    return status;
}

static sdw_status add_given(const sdw_catalog_places *places, const char *path, sdw_catalog *c, sdw_error *err)
{
    struct stat st;
    const scan s = { places, c, SDW_CATALOG_GIVEN, path };
    if (stat(path, &st) != 0)
        return sdw_fail(err, errno == ENOENT || errno == ENOTDIR ? SDW_NOT_FOUND : SDW_IO, "%s: %s; want a model or a folder of models", path,
                        strerror(errno));
    if (!S_ISDIR(st.st_mode) || sdw_catalog_is_folder_model(path)) return add_path(&s, path, true, err);
    return scan_folder(&s, path, DEPTH, err);
}

/* ---- the cache ---- */

typedef struct cache_walk {
    const sdw_catalog_places *places;
    sdw_catalog *catalog;
    char id[SDW_HUB_ID_SIZE];
    const char *commit;      /* ref looked for */
    char *revision;          /* where its name goes */
} cache_walk;

static sdw_status match_ref(void *ctx, const char *name, sdw_error *err)
{
    cache_walk *w = ctx;
    char commit[SDW_HUB_COMMIT_SIZE];
    (void)err;
    if (w->revision[0] || sdw_hub_cache_commit(w->places->cache, w->id, name, commit, NULL) != SDW_OK) return SDW_OK;
    if (!strcmp(commit, w->commit)) snprintf(w->revision, SDW_HUB_REVISION_SIZE, "%s", name);
    return SDW_OK;
}

static sdw_status add_from_cache(const sdw_catalog_places *places, const char *id, const char *commit, const char *file, sdw_catalog *c,
                                 sdw_catalog_entry **ret, sdw_error *err)
{
    char name[SDW_HUB_PATH_MAX], path[SDW_HUB_PATH_MAX];
    cache_walk w = { .places = places, .commit = commit };
    char revision[SDW_HUB_REVISION_SIZE] = "";
    snprintf(w.id, sizeof w.id, "%s", id);
    w.revision = revision;
    sdw_status s = sdw_hub_cache_refs(places->cache, id, match_ref, &w, err);
    if (s == SDW_OK) s = sdw_hub_place_of(places->cache, id, SDW_HUB_SNAPSHOT, commit, path, err);
    if (s == SDW_OK && file) {
        size_t n = strlen(path);
        s = n + strlen(file) + 2 <= sizeof path ? SDW_OK : sdw_fail(err, SDW_LIMIT, "%s/%s: the path is too long", path, file);
        if (s == SDW_OK) snprintf(path + n, sizeof path - n, "/%s", file);
        if (s == SDW_OK) s = sdw_hub_path(name, err, "%s", path); /* --model takes a single file by its path */
    } else if (s == SDW_OK) {
        bool usual = !strcmp(revision, "main");
        s = sdw_hub_path(name, err, "%s%s%s", id, usual ? "" : "@", usual ? "" : revision[0] ? revision : commit);
    }
    if (s == SDW_OK) s = sdw_catalog_add(c, SDW_CATALOG_HUB, name, path, ret, err);
    if (s != SDW_OK) return s;
    snprintf((*ret)->id, sizeof (*ret)->id, "%s", id);
    snprintf((*ret)->commit, sizeof (*ret)->commit, "%s", commit);
    snprintf((*ret)->revision, sizeof (*ret)->revision, "%s", revision);
    return SDW_OK;
}

/* Is model_index.json of that commit known to exist, although it is not here? */
static bool promised(const sdw_catalog_places *places, const char *id, const char *commit)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_listing known = { 0 };
    bool yes = sdw_hub_place_of(places->cache, id, SDW_HUB_TREE, commit, path, NULL) == SDW_OK &&
               sdw_hub_listing_read_file(&known, path, NULL) == SDW_OK && sdw_hub_listing_find(&known, "model_index.json");
    sdw_hub_listing_finish(&known);
    return yes;
}

sdw_status sdw_catalog_add_snapshot(const sdw_catalog_places *places, const char *id, const char *commit, bool describe, sdw_catalog *c,
                                    sdw_error *err)
{
    char folder[SDW_HUB_PATH_MAX];
    sdw_catalog_entry *e = NULL;
    sdw_hub_dir d = { 0 };
    sdw_status s = sdw_hub_place_of(places->cache, id, SDW_HUB_SNAPSHOT, commit, folder, err);
    if (s != SDW_OK) return s;
    if (!describe || sdw_catalog_is_folder_model(folder) || promised(places, id, commit)) {
        s = add_from_cache(places, id, commit, NULL, c, &e, err);
        return s == SDW_OK && describe ? sdw_catalog_describe(places, e, err) : s;
    }
    s = sdw_hub_dir_read(folder, &d, err);
    for (size_t i = 0; s == SDW_OK && i < d.count; i++) {
        if (!sdw_catalog_ends_with(d.names[i], MODEL_FILE)) continue;
        s = add_from_cache(places, id, commit, d.names[i], c, &e, err);
        if (s == SDW_OK) s = sdw_catalog_describe(places, e, err);
        if (s == SDW_OK && e->state != SDW_CATALOG_COMPLETE) drop(c); /* a shard of a language model, or an adapter */
    }
    sdw_hub_dir_finish(&d);
    return s;
}

static sdw_status visit_snapshot(void *ctx, const char *commit, sdw_error *err)
{
    cache_walk *w = ctx;
    return sdw_catalog_add_snapshot(w->places, w->id, commit, true, w->catalog, err);
}

static sdw_status visit_repo(void *ctx, const char *id, sdw_error *err)
{
    cache_walk *w = ctx;
    snprintf(w->id, sizeof w->id, "%s", id);
    return sdw_hub_cache_snapshots(w->places->cache, id, visit_snapshot, w, err);
}

sdw_status sdw_catalog_read(const sdw_catalog_places *places, sdw_catalog *ret, sdw_error *err)
{
    sdw_catalog c = { 0 };
    sdw_status s = SDW_OK;
    cache_walk w = { .places = places, .catalog = &c };
    if (places->cache) s = sdw_hub_cache_repos(places->cache, visit_repo, &w, err);
    const scan models = { places, &c, SDW_CATALOG_MODELS, places->models };
    if (s == SDW_OK && places->models) s = scan_folder(&models, places->models, DEPTH, err);
    const scan demo = { places, &c, SDW_CATALOG_DEMO, places->demo };
    if (s == SDW_OK && places->demo) s = add_path(&demo, places->demo, true, err);
    for (size_t i = 0; s == SDW_OK && i < places->given_count; i++) s = add_given(places, places->given[i], &c, err);
    if (s == SDW_OK) *ret = c;
    else sdw_catalog_finish(&c);
    return s;
}
