/* resolve.c - see resolve.h. */
#include "hub/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "hub/aliases.h"
#include "hub/folders.h"
#include "hub/pull.h"

typedef struct search {
    const sdw_hub_settings *settings;
    const sdw_hub_model *model;
    const sdw_hub_hooks *hooks;
    const sdw_hub_alias *alias;   /* NULL = a repository by its id */
    sdw_hub_name name;            /* of that one */
    const char *repositories[SDW_HUB_REPOSITORIES_MAX + 1];
    sdw_buf tried;                /* places, for the message */
} search;

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcasecmp(text + n - k, end);
}

bool sdw_hub_is_path(const char *name)
{
    static const char *const endings[] = { "/", ".safetensors", ".ckpt", ".pt", ".bin", ".gguf" };
    const char *slash = strchr(name, '/');
    if (!name[0] || name[0] == '/' || name[0] == '.' || name[0] == '~') return true;
    if (strstr(name, "://")) return false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_with(name, endings[i])) return true;
    const char *at = strchr(name, '@'), *second = slash ? strchr(slash + 1, '/') : NULL;
    return second && (!at || second < at); /* refs/pr/4 behind the @ has slashes too */
}

/* ---- the steps ---- */

static void note_place(search *s, const char *place)
{
    if (s->tried.size + strlen(place) + 3 < s->tried.max) sdw_buf_printf(&s->tried, "%s%s", s->tried.size ? ", " : "", place);
}

/* A variable that is set must lead somewhere: the user meant it. */
static sdw_status try_environment(search *s, char ret_path[SDW_HUB_PATH_MAX], bool *ret_found, sdw_error *err)
{
    const char *value = s->alias && s->alias->environment ? getenv(s->alias->environment) : NULL;
    if (!value || !value[0]) return SDW_OK;
    if (!exists(value)) return sdw_fail(err, SDW_NOT_FOUND, "%s: '%.300s' does not exist, want a model's folder or file", s->alias->environment, value);
    *ret_found = true;
    return sdw_hub_path(ret_path, err, "%s", value);
}

/* A folder with model_index.json, or with one .safetensors file at its top. */
static bool is_model_folder(const char *folder, char ret_path[SDW_HUB_PATH_MAX])
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_dir d = { 0 };
    const char *only = NULL;
    int count = 0;
    if (sdw_hub_path(path, NULL, "%s/model_index.json", folder) == SDW_OK && exists(path))
        return sdw_hub_path(ret_path, NULL, "%s", folder) == SDW_OK;
    if (sdw_hub_dir_read(folder, &d, NULL) != SDW_OK) return false;
    for (size_t i = 0; i < d.count; i++)
        if (ends_with(d.names[i], ".safetensors") && count++ == 0) only = d.names[i];
    bool ok = count == 1 && sdw_hub_path(ret_path, NULL, "%s/%s", folder, only) == SDW_OK;
    sdw_hub_dir_finish(&d);
    return ok;
}

static bool try_models_folder(search *s, char ret_path[SDW_HUB_PATH_MAX])
{
    char path[SDW_HUB_PATH_MAX], joined[SDW_HUB_ID_SIZE];
    if (s->name.revision[0]) return false; /* nothing there tells its revision */
    for (const char *const *r = s->repositories; *r; r++) {
        const char *slash = strchr(*r, '/');
        if (slash) snprintf(joined, sizeof joined, "%.*s-%s", (int)(slash - *r), *r, slash + 1);
        const char *const names[] = { *r, slash ? joined : *r, slash ? slash + 1 : *r };
        for (size_t i = 0; i < 3; i++)
            if (sdw_hub_path(path, NULL, "%s/%s", s->settings->models, names[i]) == SDW_OK && is_model_folder(path, ret_path)) return true;
    }
    note_place(s, s->settings->models);
    return false;
}

static sdw_hub_wish wish_of(const search *s, const char *repository)
{
    return (sdw_hub_wish){ .id = repository, .revision = s->name.revision[0] ? s->name.revision : "main",
                           .file = s->name.file[0] ? s->name.file : NULL, .variant = s->model->variant };
}

static bool try_file_in_cache(const search *s, const char *id, char ret_path[SDW_HUB_PATH_MAX])
{
    char commit[SDW_HUB_COMMIT_SIZE], name[SDW_HUB_COMMIT_SIZE + SDW_HUB_FILE_SIZE];
    const sdw_hub_wish w = wish_of(s, id);
    if (sdw_hub_cache_commit(s->settings->cache, id, w.revision, commit, NULL) != SDW_OK) return false;
    snprintf(name, sizeof name, "%s/%s", commit, w.file);
    return sdw_hub_place_of(s->settings->cache, id, SDW_HUB_SNAPSHOT, name, ret_path, NULL) == SDW_OK && sdw_hub_file_bytes(ret_path) > 0;
}

static bool try_cache(search *s, char ret_path[SDW_HUB_PATH_MAX])
{
    for (const char *const *r = s->repositories; *r; r++) {
        const sdw_hub_wish w = wish_of(s, *r);
        if (w.file ? try_file_in_cache(s, *r, ret_path)
                   : sdw_hub_cache_find(s->settings->cache, *r, w.revision, w.variant, ret_path, NULL) == SDW_OK)
            return true;
    }
    note_place(s, s->settings->cache);
    return false;
}

static bool goes_on(sdw_hub_kind kind)
{
    return kind == SDW_HUB_NO_REPOSITORY || kind == SDW_HUB_DISABLED;
}

static sdw_status try_hub(search *s, char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    sdw_status status = SDW_NOT_FOUND;
    for (const char *const *r = s->repositories; *r; r++) {
        const sdw_hub_wish w = wish_of(s, *r);
        sdw_hub_kind kind = SDW_HUB_OTHER;
        status = sdw_hub_pull(s->settings, &w, s->hooks, ret_path, &kind, err);
        if (status == SDW_OK || !goes_on(kind)) break;
    }
    return status;
}

/* Why the cache will not do, of the first repository: "…/unet/config.json is missing". */
static sdw_status nowhere(search *s, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_error why = { 0 };
    const sdw_hub_wish w = wish_of(s, s->repositories[0]);
    const char *hint = "";
    if (s->settings->offline) hint = "; HF_HUB_OFFLINE forbids asking the hub";
    else if (!s->alias && !strchr(s->name.id, '/')) hint = "; a repository of the hub is named ORG/NAME";
    if (!w.file) sdw_hub_cache_find(s->settings->cache, w.id, w.revision, w.variant, path, &why);
    return sdw_fail(err, SDW_NOT_FOUND, "model '%.80s' is not on this machine (looked for that path%s%.200s)%s%s%.150s", s->model->name,
                    s->tried.size ? ", " : "", s->tried.data ? s->tried.data : "", hint, s->settings->offline && why.text[0] ? ": " : "",
                    s->settings->offline ? why.text : "");
}

static sdw_status search_for(search *s, char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    bool found = false;
    sdw_status status = try_environment(s, ret_path, &found, err);
    if (status != SDW_OK || found) return status;
    if (!s->name.file[0] && try_models_folder(s, ret_path)) return SDW_OK;
    if (try_cache(s, ret_path)) return SDW_OK;
    /* A single word is more likely a mistyped path or alias than one of the few repositories without an owner. */
    bool askable = s->alias || strchr(s->name.id, '/');
    if (s->model->local || s->settings->offline || !askable) return nowhere(s, err);
    return try_hub(s, ret_path, err);
}

sdw_status sdw_hub_resolve(const sdw_hub_settings *settings, const sdw_hub_model *m, const sdw_hub_hooks *hooks,
                           char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    search s = { .settings = settings, .model = m, .hooks = hooks, .alias = sdw_hub_alias_find(m->name) };
    if (exists(m->name) || sdw_hub_is_path(m->name)) return sdw_hub_path(ret_path, err, "%s", m->name);
    if (s.alias) {
        memcpy(s.repositories, s.alias->repositories, sizeof s.repositories);
    } else {
        if (strstr(m->name, "://") && !sdw_hub_is_hub_address(m->name, settings->endpoint))
            return sdw_fail(err, SDW_INVALID, "'%.200s' is an address of another server; 'sdw pull' fetches it into a file", m->name);
        sdw_status status = sdw_hub_name_parse(m->name, settings->endpoint, &s.name, err);
        if (status != SDW_OK) return status;
        s.repositories[0] = s.name.id;
    }
    sdw_buf_init(&s.tried, 400);
    sdw_status status = search_for(&s, ret_path, err);
    sdw_buf_finish(&s.tried);
    return status;
}
