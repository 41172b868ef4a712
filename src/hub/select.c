/* select.c - from model_index.json to files. The weights of one component: select_weights.c. */
#include "hub/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "hub/select_impl.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- the list ---- */

void sdw_hub_selection_finish(sdw_hub_selection *s)
{
    sdw_free(s->files);
    *s = (sdw_hub_selection){ 0 };
}

sdw_status sdw_hub_selection_add(sdw_hub_selection *s, const sdw_hub_entry *e, sdw_error *err)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i] == e) return SDW_OK;
    if (s->count == s->capacity) {
        size_t more = s->capacity ? s->capacity * 2 : 32;
        const sdw_hub_entry **files = sdw_realloc(s->files, more * sizeof *files);
        if (!files) return sdw_fail_memory(err, "selection", more * sizeof *files);
        s->files = files;
        s->capacity = more;
    }
    s->files[s->count++] = e;
    s->bytes += e->size;
    return SDW_OK;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp((*(const sdw_hub_entry *const *)a)->path, (*(const sdw_hub_entry *const *)b)->path);
}

/* ---- components ---- */

/* Libraries whose classes are data to us; everything else in a model index is somebody's code. */
static const char *const libraries[] = { "diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux" };
/* Parts that a picture does not need. */
static const char *const optional[] = { "safety_checker", "feature_extractor", "image_encoder", "watermark" };

static bool one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(text, list[i])) return true;
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

static bool is_config(const char *name)
{
    return ends_with(name, ".json") || ends_with(name, ".txt") || ends_with(name, ".model");
}

const sdw_hub_entry *sdw_hub_listed(const sdw_hub_listing *l, const char *folder, const char *name)
{
    char path[SDW_HUB_FILE_SIZE];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path ? sdw_hub_listing_find(l, path) : NULL;
}

/* The name of a file that lies directly in the folder; NULL for others. */
const char *sdw_hub_name_in(const sdw_hub_entry *e, const char *folder)
{
    size_t n = strlen(folder);
    if (strncmp(e->path, folder, n) != 0 || e->path[n] != '/' || strchr(e->path + n + 1, '/')) return NULL;
    return e->path + n + 1;
}

static bool ignored(yyjson_val *model_index, const char *path)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_obj_get(model_index, "_ignore_files"));
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&it));)
        if (yyjson_equals_str(v, path)) return true;
    return false;
}

static sdw_status add_configs(const sdw_hub_listing *l, yyjson_val *model_index, const char *folder, sdw_hub_selection *to,
                              sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (size_t i = 0; s == SDW_OK && i < l->count; i++) {
        const char *name = sdw_hub_name_in(&l->entries[i], folder);
        if (name && is_config(name) && !ignored(model_index, l->entries[i].path)) s = sdw_hub_selection_add(to, &l->entries[i], err);
    }
    return s;
}

static sdw_status add_scheduler(const sdw_hub_listing *l, yyjson_val *model_index, const char *folder, sdw_hub_selection *to,
                                sdw_error *err)
{
    if (!sdw_hub_listed(l, folder, "scheduler_config.json"))
        return sdw_fail(err, SDW_NOT_FOUND, "%s/scheduler_config.json is missing", folder);
    return add_configs(l, model_index, folder, to, err);
}

static sdw_status add_tokenizer(const sdw_hub_listing *l, yyjson_val *model_index, const char *folder, sdw_hub_selection *to,
                                sdw_error *err)
{
    bool pair = sdw_hub_listed(l, folder, "vocab.json") && sdw_hub_listed(l, folder, "merges.txt");
    if (!pair && !sdw_hub_listed(l, folder, "tokenizer.json") && !sdw_hub_listed(l, folder, "spiece.model"))
        return sdw_fail(err, SDW_NOT_FOUND, "%s/vocab.json with %s/merges.txt, %s/tokenizer.json and %s/spiece.model are missing, want one of them",
                        folder, folder, folder, folder);
    return add_configs(l, model_index, folder, to, err);
}

typedef struct component {
    const char *name, *library, *class_name;
} component;

/* What model_index.json says under one key. class_name NULL: not a component, or an absent one. */
static sdw_status read_component(const char *name, yyjson_val *value, component *ret, sdw_error *err)
{
    *ret = (component){ .name = name };
    if (name[0] == '_' || !yyjson_is_arr(value)) return SDW_OK;
    const char *library = yyjson_get_str(yyjson_arr_get(value, 0)), *class_name = yyjson_get_str(yyjson_arr_get(value, 1));
    if (!class_name && yyjson_is_null(yyjson_arr_get(value, 1))) return SDW_OK;
    if (!class_name || !library || yyjson_arr_size(value) != 2)
        return sdw_fail(err, SDW_FORMAT, "model_index.json: %.80s: want a list of library and class", name);
    if (sdw_hub_check_basename(name, strlen(name), err) != SDW_OK) return SDW_FORMAT;
    if (one_of(name, optional, COUNT(optional))) { /* its library does not matter unless it is asked for */
        *ret = (component){ name, library, class_name };
        return SDW_OK;
    }
    if (!one_of(library, libraries, COUNT(libraries)))
        return sdw_fail(err, SDW_UNSUPPORTED, "model_index.json: %.80s comes from '%.80s', which is code of the repository; it is not run here",
                        name, library);
    *ret = (component){ name, library, class_name };
    return SDW_OK;
}

static bool wanted(const component *c, const sdw_hub_select_options *o)
{
    if (!c->class_name) return false;
    if (!one_of(c->name, optional, COUNT(optional))) return true;
    return o->safety_checker && (!strcmp(c->name, "safety_checker") || !strcmp(c->name, "feature_extractor"));
}

static sdw_status add_component(const sdw_hub_listing *l, yyjson_val *model_index, const component *c, sdw_hub_weights_tally *tally,
                                sdw_hub_selection *to, sdw_error *err)
{
    if (strstr(c->class_name, "Tokenizer")) return add_tokenizer(l, model_index, c->name, to, err);
    if (strstr(c->class_name, "Scheduler")) return add_scheduler(l, model_index, c->name, to, err);
    if (strstr(c->class_name, "Processor") || strstr(c->class_name, "Extractor")) return add_configs(l, model_index, c->name, to, err);
    const sdw_hub_entry *config = sdw_hub_listed(l, c->name, "config.json");
    if (!config) return sdw_fail(err, SDW_NOT_FOUND, "%s/config.json is missing", c->name);
    sdw_status s = sdw_hub_selection_add(to, config, err);
    return s == SDW_OK ? sdw_hub_add_weights(l, c->name, !strcmp(c->library, "diffusers"), tally, to, err) : s;
}

static sdw_status check_class(yyjson_val *model_index, sdw_error *err)
{
    yyjson_val *v = yyjson_obj_get(model_index, "_class_name");
    const char *name = yyjson_get_str(v);
    if (yyjson_is_arr(v))
        return sdw_fail(err, SDW_UNSUPPORTED, "model_index.json: its pipeline is code of the repository; it is not run here");
    if (name && (!strncmp(name, "StableDiffusion", 15) || !strncmp(name, "Flux", 4)) && ends_with(name, "Pipeline")) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "model_index.json: _class_name \"%.80s\", want a pipeline StableDiffusion... or Flux...",
                    name ? name : "(absent)");
}

static sdw_status select_pipeline(const sdw_hub_listing *l, yyjson_val *model_index, const sdw_hub_select_options *o,
                                  sdw_hub_selection *to, sdw_warnings *warnings, sdw_error *err)
{
    sdw_hub_weights_tally tally = { .variant = o->variant ? o->variant : "fp16" };
    sdw_status s = check_class(model_index, err);
    yyjson_obj_iter it = yyjson_obj_iter_with(model_index);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));) {
        component c;
        s = read_component(yyjson_get_str(key), yyjson_obj_iter_get_val(key), &c, err);
        if (s == SDW_OK && wanted(&c, o)) s = add_component(l, model_index, &c, &tally, to, err);
    }
    const sdw_hub_entry *index = sdw_hub_listing_find(l, "model_index.json");
    if (s == SDW_OK && index) s = sdw_hub_selection_add(to, index, err);
    if (s != SDW_OK) return s;
    if (o->variant && !tally.with)
        return sdw_fail_field(err, SDW_NOT_FOUND, "variant", "no component has weights of variant %s, such as %s.%s.safetensors", o->variant,
                              "unet/diffusion_pytorch_model", o->variant);
    if (tally.with && tally.without)
        sdw_warn(warnings, "%s has no %s weights; its plain ones are used beside %s of the others", tally.example, tally.variant, tally.variant);
    return SDW_OK;
}

/* ---- repositories without a pipeline ---- */

static sdw_status several(const sdw_hub_listing *l, sdw_error *err)
{
    sdw_buf names;
    sdw_buf_init(&names, 300);
    for (size_t i = 0, shown = 0; i < l->count; i++)
        if (ends_with(l->entries[i].path, ".safetensors") && names.size + strlen(l->entries[i].path) + 8 < names.max)
            sdw_buf_printf(&names, "%s%s", shown++ ? ", " : "", l->entries[i].path);
    sdw_fail(err, SDW_INVALID, "no model_index.json, and several .safetensors files: name one (%s)", names.data ? names.data : "");
    sdw_buf_finish(&names);
    return SDW_INVALID;
}

static sdw_status select_add_on(const sdw_hub_listing *l, sdw_hub_selection *to, sdw_error *err)
{
    static const char *const known[] = { "pytorch_lora_weights.safetensors", "learned_embeds.safetensors" };
    const sdw_hub_entry *only = NULL, *pickle = NULL;
    if (sdw_hub_listing_find(l, "modular_model_index.json"))
        return sdw_fail(err, SDW_UNSUPPORTED, "modular_model_index.json: modular pipelines are not supported, want a model_index.json");
    for (size_t i = 0; i < COUNT(known); i++)
        if (sdw_hub_listing_find(l, known[i])) return sdw_hub_selection_add(to, sdw_hub_listing_find(l, known[i]), err);
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *path = l->entries[i].path;
        if (ends_with(path, ".safetensors") && count++ == 0) only = &l->entries[i];
        if (ends_with(path, ".bin") || ends_with(path, ".ckpt") || ends_with(path, ".pt")) pickle = &l->entries[i];
    }
    if (count == 1) return sdw_hub_selection_add(to, only, err);
    if (count > 1) return several(l, err);
    if (pickle)
        return sdw_fail(err, SDW_UNSUPPORTED, "%.200s: is a PyTorch pickle, which may run code when loaded; there is no .safetensors file", pickle->path);
    return sdw_fail(err, SDW_NOT_FOUND, "no model_index.json and no .safetensors file");
}

sdw_status sdw_hub_select(const sdw_hub_listing *l, yyjson_val *model_index, const sdw_hub_select_options *o,
                          sdw_hub_selection *ret, sdw_warnings *warnings, sdw_error *err)
{
    static const sdw_hub_select_options none = { 0 };
    sdw_hub_selection to = { 0 };
    if (!o) o = &none;
    sdw_status s = o->variant ? sdw_hub_check_variant(o->variant, err) : SDW_OK;
    if (s == SDW_OK && model_index) s = select_pipeline(l, model_index, o, &to, warnings, err);
    else if (s == SDW_OK) s = select_add_on(l, &to, err);
    if (s != SDW_OK) {
        sdw_hub_selection_finish(&to);
        return s;
    }
    if (to.count) qsort(to.files, to.count, sizeof *to.files, compare_files);
    *ret = to;
    return SDW_OK;
}

/* ---- shards ---- */

bool sdw_hub_is_shard_index(const char *path)
{
    return strstr(path, ".safetensors.") && strstr(path, ".index.") && ends_with(path, ".json");
}

sdw_status sdw_hub_check_shards(const sdw_hub_selection *s, const char *index_path, yyjson_val *index, sdw_error *err)
{
    char path[SDW_HUB_FILE_SIZE];
    const char *slash = strrchr(index_path, '/');
    int folder = slash ? (int)(slash - index_path + 1) : 0;
    yyjson_val *map = yyjson_obj_get(index, "weight_map");
    if (!yyjson_is_obj(map)) return sdw_fail(err, SDW_FORMAT, "%.200s: no object \"weight_map\"", index_path);
    yyjson_obj_iter it = yyjson_obj_iter_with(map);
    const char *last = "";
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *v = yyjson_obj_iter_get_val(key);
        const char *name = yyjson_get_str(v);
        if (!name) return sdw_fail(err, SDW_FORMAT, "%.200s: weight_map: %.80s is no file name", index_path, yyjson_get_str(key));
        if (!strcmp(name, last)) continue; /* tensors stand in runs of one shard */
        sdw_status status = sdw_hub_check_basename(name, yyjson_get_len(v), err);
        if (status != SDW_OK) return status;
        int n = snprintf(path, sizeof path, "%.*s%s", folder, index_path, name);
        bool found = false;
        for (size_t i = 0; n > 0 && !found && i < s->count; i++) found = !strcmp(s->files[i]->path, path);
        if (!found) return sdw_fail(err, SDW_NOT_FOUND, "%.200s names the shard %.80s, which is missing", index_path, name);
        last = name;
    }
    return SDW_OK;
}
