/* model_files_folder.c - a diffusers folder: model_index.json decides the parts, their config.json the dimensions. A
 * single file may carry the same texts in its header. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "io/clip_names.h"
#include "io/ldm_names.h"
#include "model/model_files_impl.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Components that model_index.json may list. The parts come first, in the order of sdw_part_id. */
typedef enum role { ROLE_PART, ROLE_TOKENIZER, ROLE_SCHEDULER, ROLE_IGNORED } role;

static const struct component {
    const char *name;
    role role;
    int index;               /* of the part, or of the tokenizer */
    const char *classes[2];  /* supported; NULL = any (whoever reads it checks) */
} components[] = {
    { "text_encoder", ROLE_PART, SDW_PART_TEXT_ENCODER, { "CLIPTextModel", "CLIPTextModelWithProjection" } },
    { "text_encoder_2", ROLE_PART, SDW_PART_TEXT_ENCODER_2, { "CLIPTextModelWithProjection", "CLIPTextModel" } },
    { "unet", ROLE_PART, SDW_PART_UNET, { "UNet2DConditionModel", NULL } },
    { "vae", ROLE_PART, SDW_PART_VAE, { "AutoencoderKL", NULL } },
    { "tokenizer", ROLE_TOKENIZER, 0, { "CLIPTokenizer", "CLIPTokenizerFast" } },
    { "tokenizer_2", ROLE_TOKENIZER, 1, { "CLIPTokenizer", "CLIPTokenizerFast" } },
    { "scheduler", ROLE_SCHEDULER, 0, { NULL, NULL } },
    { "safety_checker", ROLE_IGNORED, 0, { NULL, NULL } },
    { "feature_extractor", ROLE_IGNORED, 0, { NULL, NULL } },
    { "image_encoder", ROLE_IGNORED, 0, { NULL, NULL } },
    { "watermark", ROLE_IGNORED, 0, { NULL, NULL } },
};

static const char *const pipelines[] = {
    "StableDiffusionPipeline",   "StableDiffusionImg2ImgPipeline",   "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline",
};

static const struct component *find_component(const char *name)
{
    for (size_t i = 0; i < COUNT(components); i++)
        if (strcmp(components[i].name, name) == 0) return &components[i];
    return NULL;
}

static sdw_status check_pipeline(const char *name, const char *path, sdw_error *err)
{
    for (size_t i = 0; name && i < COUNT(pipelines); i++)
        if (strcmp(name, pipelines[i]) == 0) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "%s: _class_name \"%.80s\"; want %s, %s, %s, %s, %s or %s", path,
                    name ? name : "(absent)", pipelines[0], pipelines[1], pipelines[2], pipelines[3], pipelines[4],
                    pipelines[5]);
}

static sdw_status check_class(const struct component *c, const char *class_name, const char *path, sdw_error *err)
{
    if (!c->classes[0]) return SDW_OK;
    for (size_t i = 0; i < COUNT(c->classes); i++)
        if (c->classes[i] && strcmp(c->classes[i], class_name) == 0) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "%s: %s is a %.80s; want %s%s%s", path, c->name, class_name, c->classes[0],
                    c->classes[1] ? " or " : "", c->classes[1] ? c->classes[1] : "");
}

/* Where the configurations are: in files of a folder, or in what a single file carries. */
typedef struct source {
    const char *folder;     /* NULL = carried */
    yyjson_val *carried;    /* component name -> its configuration */
    yyjson_val *index;      /* root of model_index.json */
    const char *index_path; /* for messages */
} source;

static sdw_status read_config(const source *from, const char *part, const char *name, yyjson_doc **doc, yyjson_val **ret,
                              sdw_error *err)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    if (!from->folder) {
        *ret = yyjson_obj_get(from->carried, part);
        return yyjson_is_obj(*ret) ? SDW_OK : sdw_fail(err, SDW_FORMAT, "%s: no configuration of %s in it", from->index_path, part);
    }
    char *path = sdw_model_path_join(from->folder, part, name);
    if (!path) return sdw_fail_memory(err, "path", strlen(from->folder));
    sdw_status s = sdw_json_read_file(path, &limits, doc, err);
    sdw_free(path);
    if (s == SDW_OK) *ret = yyjson_doc_get_root(*doc);
    return s;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static sdw_status add_tokenizer(sdw_model_files_impl *m, const char *folder, const struct component *c, sdw_warnings *warnings,
                                sdw_error *err)
{
    if (!folder) return SDW_OK; /* a file carries none: the built-in vocabulary */
    char *path = sdw_model_path_join(folder, c->name, NULL);
    if (!path) return sdw_fail_memory(err, "path", strlen(folder));
    if (is_folder(path)) {
        m->pub.tokenizer_dir[c->index] = path;
        return SDW_OK;
    }
    sdw_warn(warnings, "%s: no such folder; the built-in CLIP vocabulary is used", path);
    sdw_free(path);
    return SDW_OK;
}

/* One key of model_index.json: [library, class], where [null, null] and null say that the component is absent. */
static sdw_status add_component(sdw_model_files_impl *m, const source *from, const char *name, yyjson_val *value,
                                sdw_warnings *warnings, sdw_error *err)
{
    const char *index_path = from->index_path;
    if (name[0] == '_' || !yyjson_is_arr(value)) return SDW_OK; /* settings of the pipeline, not components */
    yyjson_val *class_value = yyjson_arr_get(value, 1);
    if (yyjson_arr_size(value) != 2 || (!yyjson_is_str(class_value) && !yyjson_is_null(class_value)))
        return sdw_fail(err, SDW_FORMAT, "%s: %.80s: want a list of library and class", index_path, name);
    if (yyjson_is_null(class_value)) return SDW_OK;
    const struct component *c = find_component(name);
    if (!c)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: component %.80s (%.80s); want text_encoder, text_encoder_2, unet, vae, tokenizer, tokenizer_2 and scheduler",
                        index_path, name, yyjson_get_str(class_value));
    sdw_status s = check_class(c, yyjson_get_str(class_value), index_path, err);
    if (s != SDW_OK) return s;
    if (c->role == ROLE_PART) {
        m->pub.part[c->index].present = true;
        s = read_config(from, name, "config.json", &m->config_doc[c->index], &m->pub.part[c->index].config, err);
    } else if (c->role == ROLE_TOKENIZER) {
        s = add_tokenizer(m, from->folder, c, warnings, err);
    } else if (c->role == ROLE_SCHEDULER) {
        s = read_config(from, name, "scheduler_config.json", &m->scheduler_doc, &m->pub.scheduler, err);
    }
    return s;
}

static sdw_status read_components(sdw_model_files_impl *m, const source *from, sdw_warnings *warnings, sdw_error *err)
{
    yyjson_val *root = from->index;
    const char *class_name = yyjson_get_str(yyjson_obj_get(root, "_class_name"));
    sdw_status s = check_pipeline(class_name, from->index_path, err);
    if (s != SDW_OK) return s;
    m->pub.class_name = sdw_strdup(class_name);
    if (!m->pub.class_name) return sdw_fail_memory(err, "class name", strlen(class_name));
    yyjson_obj_iter it = yyjson_obj_iter_with(root);
    for (yyjson_val *key; s == SDW_OK && (key = yyjson_obj_iter_next(&it));)
        s = add_component(m, from, yyjson_get_str(key), yyjson_obj_iter_get_val(key), warnings, err);
    yyjson_val *zeros = yyjson_obj_get(root, "force_zeros_for_empty_prompt");
    m->force_zeros_given = yyjson_is_bool(zeros);
    m->pub.force_zeros_for_empty_prompt = yyjson_get_bool(zeros);
    return s;
}

/* A part's own class must be the one that model_index.json promised, where it says one. */
static sdw_status check_part_class(const sdw_model_files_impl *m, int part, const char *folder, sdw_error *err)
{
    char path[320];
    const struct component *c = &components[part];
    const char *class_name = yyjson_get_str(yyjson_obj_get(m->pub.part[part].config, "_class_name"));
    if (!class_name) return SDW_OK;
    snprintf(path, sizeof path, "%.256s/%s/config.json", folder, c->name);
    return check_class(c, class_name, path, err);
}

static sdw_status check_parts(const sdw_model_files_impl *m, const char *folder, const char *index_path, sdw_error *err)
{
    const sdw_part_files *part = m->pub.part;
    sdw_status s = SDW_OK;
    if (!part[SDW_PART_TEXT_ENCODER].present && part[SDW_PART_TEXT_ENCODER_2].present)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: text_encoder_2 without text_encoder is the SDXL refiner; want a base model", index_path);
    static const int needed[] = { SDW_PART_TEXT_ENCODER, SDW_PART_UNET, SDW_PART_VAE };
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!part[needed[i]].present)
            return sdw_fail(err, SDW_UNSUPPORTED, "%s: no %s, want text_encoder, unet, vae and scheduler", index_path, part[needed[i]].name);
    if (!m->pub.scheduler)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: no scheduler, want text_encoder, unet, vae and scheduler", index_path);
    for (int i = 0; s == SDW_OK && i < SDW_PART_COUNT; i++) s = check_part_class(m, i, folder, err);
    return s;
}

static bool text_is(yyjson_val *object, const char *key, const char *text)
{
    return yyjson_equals_str(yyjson_obj_get(object, key), text);
}

static int whole_number(yyjson_val *object, const char *key, int fallback)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    return yyjson_is_int(v) ? yyjson_get_int(v) : fallback;
}

static sdw_status find_family(sdw_model_files_impl *m, const char *index_path, sdw_error *err)
{
    yyjson_val *unet = m->pub.part[SDW_PART_UNET].config, *scheduler = m->pub.scheduler;
    const sdw_family_traits traits = {
        .second_text_encoder = m->pub.part[SDW_PART_TEXT_ENCODER_2].present,
        .in_channels = whole_number(unet, "in_channels", 4),
        .context_width = whole_number(unet, "cross_attention_dim", 1280),
        .openclip = text_is(m->pub.part[SDW_PART_TEXT_ENCODER].config, "hidden_act", "gelu"),
        .v_prediction = text_is(scheduler, "prediction_type", "v_prediction"),
        .trailing = text_is(scheduler, "timestep_spacing", "trailing"),
        .euler = text_is(scheduler, "_class_name", "EulerDiscreteScheduler"),
        .ancestral = text_is(scheduler, "_class_name", "EulerAncestralDiscreteScheduler"),
    };
    m->pub.family = sdw_family_of_traits(&traits);
    if (m->pub.family) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "%s: the unet has %d input channels%s, want 4 or 9 (inpainting)", index_path,
                    traits.in_channels, traits.in_channels == 8 ? " (InstructPix2Pix)" : "");
}

static sdw_status read_all(sdw_model_files_impl *m, const source *from, sdw_warnings *warnings, sdw_error *err)
{
    sdw_status s = read_components(m, from, warnings, err);
    if (s == SDW_OK) s = check_parts(m, from->folder ? from->folder : m->pub.path, from->index_path, err);
    if (s == SDW_OK) s = find_family(m, from->index_path, err);
    if (s == SDW_OK && !m->force_zeros_given) m->pub.force_zeros_for_empty_prompt = m->pub.family->force_zeros_for_empty_prompt;
    return s;
}

sdw_status sdw_model_folder_read(sdw_model_files_impl *m, const char *folder, sdw_warnings *warnings, sdw_error *err)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    struct stat st;
    char *path = sdw_model_path_join(folder, "model_index.json", NULL);
    if (!path) return sdw_fail_memory(err, "path", strlen(folder));
    sdw_status s;
    if (!is_folder(folder))
        s = sdw_fail(err, SDW_NOT_FOUND, "%s: no such folder", folder);
    else if (stat(path, &st) != 0)
        s = sdw_fail(err, SDW_NOT_FOUND, "%s: no model_index.json in it, want a diffusers folder or a .safetensors file", folder);
    else
        s = sdw_json_read_file(path, &limits, &m->index_doc, err);
    const source from = { .folder = folder, .index = yyjson_doc_get_root(m->index_doc), .index_path = path };
    if (s == SDW_OK) s = read_all(m, &from, warnings, err);
    sdw_free(path);
    return s;
}

sdw_status sdw_model_carried_read(sdw_model_files_impl *m, const char *text, sdw_error *err)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    char what[320];
    snprintf(what, sizeof what, "%.256s: %s", m->pub.path, SDW_CARRIED_KEY);
    sdw_status s = sdw_json_parse(text, strlen(text), what, &limits, &m->index_doc, err);
    if (s != SDW_OK) return s;
    yyjson_val *root = yyjson_doc_get_root(m->index_doc), *index = yyjson_obj_get(root, "model_index");
    const source from = { .carried = root, .index = index, .index_path = what };
    if (!yyjson_is_obj(index)) return sdw_fail(err, SDW_FORMAT, "%s: no model_index in it", what);
    m->pub.prediction_is_a_guess = yyjson_get_bool(yyjson_obj_get(root, SDW_CARRIED_GUESS));
    return read_all(m, &from, NULL, err);
}

static sdw_status open_part(sdw_model_files_impl *m, int i, const char *folder, const char *variant, sdw_warnings *warnings,
                            sdw_error *err)
{
    sdw_part_files *part = &m->pub.part[i];
    char *path = NULL;
    sdw_status s = sdw_model_weights_path(folder, part->name, variant, &path, warnings, err);
    if (s == SDW_OK) s = sdw_checkpoint_open(path, &m->base[i], err);
    sdw_free(path);
    if (s != SDW_OK) return s;
    switch (i) {
    case SDW_PART_TEXT_ENCODER:
    case SDW_PART_TEXT_ENCODER_2: return sdw_clip_view(m->base[i], "", &part->weights, err);
    case SDW_PART_VAE: return sdw_diffusers_vae_view(m->base[i], "", &part->weights, err);
    default: part->weights = m->base[i]; return SDW_OK;
    }
}

/* Which parts have the variant? A mix is allowed, as it is for the Python loader and for downloads; SDW_NOT_FOUND, of the
 * first part, if no part has it. */
static sdw_status find_variant(const sdw_model_files_impl *m, const char *folder, const char *variant, bool has[SDW_PART_COUNT],
                               sdw_error *err)
{
    sdw_error first = { 0 }, why = { 0 };
    int count = 0;
    for (int i = 0; i < SDW_PART_COUNT; i++) {
        char *path = NULL;
        if (!m->pub.part[i].present) continue;
        sdw_status s = sdw_model_weights_path(folder, m->pub.part[i].name, variant, &path, NULL, &why);
        sdw_free(path);
        has[i] = s == SDW_OK;
        count += has[i];
        if (s != SDW_OK && (first.status == SDW_OK || s != SDW_NOT_FOUND)) first = why;
        if (s != SDW_OK && s != SDW_NOT_FOUND) break; /* the name itself is refused, or there is no memory */
    }
    if (count > 0 && (first.status == SDW_OK || first.status == SDW_NOT_FOUND)) return SDW_OK;
    if (err) *err = first;
    return first.status;
}

sdw_status sdw_model_folder_open_weights(sdw_model_files_impl *m, const char *folder, const char *variant, sdw_warnings *warnings,
                                         sdw_error *err)
{
    bool has[SDW_PART_COUNT] = { false };
    sdw_status s = variant ? find_variant(m, folder, variant, has, err) : SDW_OK;
    for (int i = 0; s == SDW_OK && i < SDW_PART_COUNT; i++) {
        if (!m->pub.part[i].present) continue;
        if (variant && !has[i])
            sdw_warn(warnings, "%s/%s: no weights of variant %s; its plain ones are used beside %s of others", folder, m->pub.part[i].name, variant, variant);
        s = open_part(m, i, folder, has[i] ? variant : NULL, warnings, err);
    }
    return s;
}
