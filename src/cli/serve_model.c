/* serve_model.c - see serve_model.h. */
#include "cli/serve_model.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/model_place.h"
#include "core/log.h"
#include "core/status.h"
#include "hub/aliases.h"
#include "hub/resolve.h"

/* ---- what it is called ---- */

static sdw_status unknown_version(const char *name, sdw_error *err)
{
    char list[200] = "";
    size_t n = 0, count;
    const sdw_hub_alias *aliases = sdw_hub_aliases(&count);
    for (size_t i = 0; i < count && n < sizeof list; i++)
        if (aliases[i].environment) n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", aliases[i].spellings[0]);
    return sdw_fail(err, SDW_UNSUPPORTED, "Invalid input: Unknown SD version: %.100s. Supported: %s", name, list);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* What --model says, word for word, since schedulers compare it; else the canonical id; else the path's last part. */
static void name_model(const sdw_cli_options *o, sdw_serve_model *m)
{
    const char *text = sdw_cli_value(o, "model");
    const sdw_hub_alias *alias = sdw_hub_alias_find(m->ref);
    if (!text) text = sdw_cli_value(o, "model-ref");
    if (!text) text = last_part(alias ? alias->repositories[0] : m->ref);
    snprintf(m->id, sizeof m->id, "%.255s", text);
}

static sdw_status demo(const sdw_cli_options *o, sdw_serve_model *m, sdw_error *err)
{
    if (o->bare)
        return sdw_fail(err, SDW_INVALID, "no model given, want --model-path, --sd-version, --model or --model-ref;"
                        " `sdw serve` alone serves the demo model");
    m->ref = "demo";
    m->demo = true;
    snprintf(m->id, sizeof m->id, "demo");
    return sdw_cli_demo_model(m->path, err);
}

/* ---- where it lies ---- */

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* The folders of --models-dir come before the usual one. */
static sdw_status resolve(const sdw_serve_model *m, const char *name, bool local, const sdw_hub_hooks *hooks,
                          char path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    const sdw_hub_model model = { .name = name, .variant = m->variant, .local = true };
    for (const char *const *f = m->folders; f && *f && !sdw_hub_is_path(name); f++) {
        sdw_hub_settings one = m->settings;
        char none[] = "/nonexistent";
        one.models = (char *)*f;
        one.cache = none;
        if (sdw_hub_resolve(&one, &model, NULL, path, NULL) == SDW_OK) return SDW_OK;
    }
    const sdw_hub_model any = { .name = name, .variant = m->variant, .local = local };
    return sdw_hub_resolve(&m->settings, &any, hooks, path, err);
}

static sdw_status locate(sdw_serve_model *m, sdw_error *err)
{
    sdw_error nowhere = { 0 };
    sdw_status s = resolve(m, m->ref, true, NULL, m->path, &nowhere);
    if (s == SDW_OK && !exists(m->path))
        return sdw_fail(err, SDW_NOT_FOUND, "%s: no such model, want a folder in diffusers layout, a .safetensors file or a model's name", m->path);
    bool fetch = s == SDW_NOT_FOUND && !m->settings.offline && !sdw_hub_is_path(m->ref);
    if (fetch) { /* the engine thread will, while the service answers already */
        snprintf(m->path, sizeof m->path, "%s", m->ref);
        return SDW_OK;
    }
    if (s != SDW_OK && err) *err = nowhere;
    return s;
}

sdw_status sdw_serve_model_choose(const sdw_cli_options *o, sdw_serve_model *m, sdw_error *err)
{
    const char *path = sdw_cli_value(o, "model-path"), *version = sdw_cli_value(o, "sd-version");
    const char *name = sdw_cli_value(o, "model");
    if (!name) name = sdw_cli_value(o, "model-ref");
    m->variant = sdw_cli_value(o, "variant");
    m->ref = path ? path : version ? version : name;
    sdw_status s = sdw_hub_settings_read(&m->settings, NULL, NULL, err);
    if (s != SDW_OK) return s;
    if (!m->ref) return demo(o, m, err);
    if (!path && version && !sdw_hub_alias_find(version)) return unknown_version(version, err);
    name_model(o, m);
    if (!path) return locate(m, err);
    snprintf(m->path, sizeof m->path, "%s", path);
    return exists(path) ? SDW_OK : sdw_fail(err, SDW_NOT_FOUND, "%s: no such folder or file", path);
}

void sdw_serve_model_finish(sdw_serve_model *m)
{
    sdw_hub_settings_finish(&m->settings);
}

/* ---- fetching ---- */

static bool stopped(void *ctx)
{
    const sdw_serve_model *m = ctx;
    return atomic_load(&m->stopping);
}

static void on_note(void *ctx, const char *sentence)
{
    (void)ctx;
    sdw_log(SDW_LOG_INFO, sentence, NULL);
}

static void on_warn(void *ctx, const char *sentence)
{
    (void)ctx;
    sdw_log(SDW_LOG_WARNING, sentence, NULL);
}

static void on_progress(void *ctx, const sdw_hub_progress *p)
{
    sdw_serve_model *m = ctx;
    sdw_fetching f = { .active = true, .files_done = (int)p->files_done, .files_total = (int)p->files,
                       .bytes_done = p->bytes_done, .bytes_total = p->bytes, .bytes_per_second = p->bytes_per_second };
    snprintf(f.file, sizeof f.file, "%s", p->file);
    sdw_loading_set(m->loading, &f);
    sdw_loading_count(m->loading, &m->counted, p->bytes_fetched);
    sdw_waker_wake(m->waker, NULL);
}

sdw_status sdw_serve_find(void *ctx, const char *name, char *path, size_t size, sdw_error *err)
{
    sdw_serve_model *m = ctx;
    char found[SDW_HUB_PATH_MAX];
    const sdw_hub_hooks hooks = { .ctx = m, .cancelled = stopped, .note = on_note, .warn = on_warn, .progress = on_progress };
    sdw_status s = SDW_OK;
    m->counted = 0;
    if (exists(name)) snprintf(found, sizeof found, "%s", name);
    else s = resolve(m, name, false, &hooks, found, err);
    sdw_loading_set(m->loading, &(sdw_fetching){ 0 });
    sdw_waker_wake(m->waker, NULL);
    if (s != SDW_OK) return s;
    if (strlen(found) >= size) return sdw_fail(err, SDW_LIMIT, "%.200s: path too long", found);
    memcpy(path, found, strlen(found) + 1);
    return SDW_OK;
}
