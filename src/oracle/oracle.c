/* oracle.c - which folders hold vectors, what is in them, and what of it nobody replayed. */
#include "oracle/oracle.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "oracle/replay.h"

enum { FOLDERS_MAX = 256 };

static bool join(char path[PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX;
}

static bool exists(const char *dir, const char *name)
{
    char path[PATH_MAX];
    return join(path, dir, name) && access(path, R_OK) == 0;
}

/* ---- one folder ---- */

/* Families that are not built: why; NULL = a pipeline that we can open. */
static const char *unbuilt(const char *dir)
{
    if (exists(dir, "unet")) return NULL;
    if (exists(dir, "transformer")) return "transformer families (SD 3, FLUX) are not built";
    if (exists(dir, "config.json")) return "ControlNet is not built";
    return "LoRA is not built";
}

/* Results, as against inputs, among the names of vectors. */
static bool is_result(const char *name)
{
    static const char *const ends[] = { "out", "unet_out", "mid", "last_hidden_state", "penultimate", "pooled", "text_embeds",
                                        "moments", "latents_after_each_step", "image", "image_u8", "sigmas", "timesteps" };
    const char *dot = strrchr(name, '.');
    const char *end = dot ? dot + 1 : name;
    if (!strncmp(name, "transformer.", 12) && !strcmp(end, "pooled")) return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (!strcmp(end, ends[i])) return true;
    return false;
}

static bool asked_for(const sdw_replay *r, const char *name)
{
    return !r->options->only || strstr(name, r->options->only);
}

static void skip_all(sdw_replay *r, const char *reason)
{
    for (size_t i = 0; i < sdw_checkpoint_count(r->golden); i++) {
        const char *name = sdw_checkpoint_at(r->golden, i)->name;
        if (is_result(name) && asked_for(r, name)) sdw_replay_tell(r, SDW_ORACLE_SKIPPED, name, reason);
    }
}

/* A vector that no rule takes is a gap in the replay, not in the file. */
static void tell_unused(sdw_replay *r)
{
    if (r->options->only) return;
    for (size_t i = 0; i < sdw_checkpoint_count(r->golden); i++) {
        const sdw_file_tensor *t = sdw_checkpoint_at(r->golden, i);
        if (!t->used) sdw_replay_tell(r, SDW_ORACLE_FAILED, t->name, "not replayed");
    }
}

static bool is_scalar(const sdw_replay *r)
{
    return strstr(sdw_engine_info(r->engine)->backend, "scalar") != NULL;
}

/* Bounds of a component's relative distance. Narrow arithmetics: those of half precision for f16 and bf16; int8 is about four times as far. XL is deeper. */
static double component_tolerance(const sdw_replay *r)
{
    const char *precision = sdw_engine_info(r->engine)->precision;
    bool xl = sdw_pipeline_shape_of(r->pipeline)->pooled_width > 0;
    if (strcmp(precision, "f32") == 0) return is_scalar(r) ? 1.5e-6 : 5e-6;
    if (strcmp(precision, "int8") == 0) return xl ? 8e-2 : 5e-2;
    return xl ? 1.5e-2 : 1e-2;
}

/* Whole runs add up what each step rounds; only f32 is held to the reference's latents and pictures. */
static void skip_rest(sdw_replay *r)
{
    for (size_t i = 0; i < sdw_checkpoint_count(r->golden); i++) {
        sdw_file_tensor *t = sdw_checkpoint_at(r->golden, i);
        if (!t->used && is_result(t->name) && asked_for(r, t->name)) sdw_replay_tell(r, SDW_ORACLE_SKIPPED, t->name, "only components are compared in a narrow precision");
        t->used = true;
    }
}

/* Opens the model and replays; file NULL = the folder itself, else a single file that the folder describes. */
static sdw_status replay_model(sdw_replay *r, const char *dir, const char *file, sdw_error *err)
{
    const sdw_oracle_options *o = r->options;
    const sdw_engine_options options = { .model = file ? file : dir, .config_dir = file ? dir : NULL, .isa = o->isa, .precision = o->precision,
                                         .threads = o->threads, .warn = o->warn, .warn_ctx = o->ctx };
    sdw_status s = sdw_engine_open(&options, &r->engine, err);
    if (s != SDW_OK) return s;
    r->pipeline = sdw_engine_pipeline(r->engine);
    r->component_tolerance = component_tolerance(r);
    sdw_replay_components(r);
    bool narrow = strcmp(sdw_engine_info(r->engine)->precision, "f32") != 0;
    if (!narrow) sdw_replay_pipelines(r);
    if (!narrow && !file) sdw_replay_samplers(r); /* samplers are the same whatever file the weights came from */
    if (narrow && !file) skip_rest(r);
    sdw_engine_close(r->engine);
    r->engine = NULL;
    r->pipeline = NULL;
    return SDW_OK;
}

static yyjson_doc *metadata(const sdw_replay *r, const char *key)
{
    yyjson_doc *doc = NULL;
    const char *text = sdw_checkpoint_metadata(r->golden, key);
    const sdw_json_limits limits = { .top = SDW_JSON_ARRAY };
    if (text) sdw_json_parse(text, strlen(text), key, &limits, &doc, NULL);
    return doc;
}

static void replay_copies(sdw_replay *r, const char *dir, const char *label)
{
    char path[PATH_MAX], folder[NAME_MAX + 16];
    sdw_error err = { 0 };
    if (replay_model(r, dir, NULL, &err) != SDW_OK) {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, "model", err.text);
        return;
    }
    tell_unused(r);
    if (!exists(dir, "single_file.safetensors") || !join(path, dir, "single_file.safetensors")) return;
    snprintf(folder, sizeof folder, "%s/single_file", label);
    r->folder = folder;
    if (replay_model(r, dir, path, &err) != SDW_OK) sdw_replay_tell(r, SDW_ORACLE_FAILED, "model", err.text);
    r->folder = label;
}

static void replay_folder(const char *dir, const char *label, const sdw_oracle_options *o, sdw_oracle_totals *totals)
{
    sdw_replay r = { .options = o, .totals = totals, .folder = label };
    sdw_error err = { 0 };
    char path[PATH_MAX];
    sdw_status s = join(path, dir, "golden.safetensors") ? sdw_checkpoint_open(path, &r.golden, &err)
                                                         : sdw_fail(&err, SDW_INVALID, "%s: path too long", label);
    if (s != SDW_OK) {
        sdw_replay_tell(&r, SDW_ORACLE_FAILED, "golden.safetensors", err.text);
        return;
    }
    r.prompts = metadata(&r, "prompts");
    r.sizes = metadata(&r, "sizes");
    const char *reason = unbuilt(dir);
    if (reason) skip_all(&r, reason);
    else replay_copies(&r, dir, label);
    yyjson_doc_free(r.prompts);
    yyjson_doc_free(r.sizes);
    sdw_checkpoint_close(r.golden);
}

/* ---- a root ---- */

static void replay_root_files(const char *root, const sdw_oracle_options *o, sdw_oracle_totals *totals)
{
    sdw_replay r = { .options = o, .totals = totals, .folder = "root" };
    char path[PATH_MAX], tokenizer[PATH_MAX];
    sdw_error err = { 0 };
    if (exists(root, "rng.safetensors") && join(path, root, "rng.safetensors") && sdw_replay_noise(&r, path, &err) != SDW_OK)
        sdw_replay_tell(&r, SDW_ORACLE_FAILED, "rng.safetensors", err.text);
    bool own = exists(root, "sd15/tokenizer/vocab.json") && join(tokenizer, root, "sd15/tokenizer");
    if (exists(root, "clip_tokens.json") && join(path, root, "clip_tokens.json") &&
        sdw_replay_tokens(&r, path, own ? tokenizer : NULL, &err) != SDW_OK)
        sdw_replay_tell(&r, SDW_ORACLE_FAILED, "clip_tokens.json", err.text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the folders below root that hold vectors, sorted; owned by the caller. */
static int list_folders(const char *root, char *names[FOLDERS_MAX])
{
    char inner[PATH_MAX];
    int count = 0;
    DIR *d = opendir(root);
    if (!d) return 0;
    for (struct dirent *e; count < FOLDERS_MAX && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !join(inner, e->d_name, "golden.safetensors") || !exists(root, inner)) continue;
        names[count] = sdw_strdup(e->d_name);
        if (names[count]) count++;
    }
    closedir(d);
    qsort(names, (size_t)count, sizeof *names, by_name);
    return count;
}

sdw_status sdw_oracle_replay(const char *dir, const sdw_oracle_options *o, sdw_oracle_totals *totals, sdw_error *err)
{
    char *names[FOLDERS_MAX], path[PATH_MAX], label[NAME_MAX + 1];
    if (access(dir, R_OK | X_OK)) return sdw_fail(err, SDW_NOT_FOUND, "%s: want a folder of reference vectors that can be read", dir);
    if (exists(dir, "golden.safetensors")) {
        size_t end = strlen(dir);
        while (end > 1 && dir[end - 1] == '/') end--;
        size_t start = end;
        while (start && dir[start - 1] != '/') start--;
        snprintf(label, sizeof label, "%.*s", (int)(end - start), dir + start);
        replay_folder(dir, label, o, totals);
        return SDW_OK;
    }
    int count = list_folders(dir, names);
    if (!count && !exists(dir, "rng.safetensors") && !exists(dir, "clip_tokens.json"))
        return sdw_fail(err, SDW_NOT_FOUND, "%s: holds no golden.safetensors, neither itself nor in a folder below it", dir);
    replay_root_files(dir, o, totals);
    for (int i = 0; i < count; i++) {
        if (join(path, dir, names[i])) replay_folder(path, names[i], o, totals);
        sdw_free(names[i]);
    }
    return SDW_OK;
}
