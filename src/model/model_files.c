/* model_files.c - a model on disk: a folder or a single file, told apart by what lies at the path. */
#include "model/model_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/mem.h"
#include "io/clip_names.h"
#include "io/ldm_names.h"
#include "model/model_files_impl.h"

#define WARNED_NAMES 3

/* Where a single file keeps its text encoders, and in whose names. The first prefix with tensors behind it counts. */
static const struct {
    const char *prefix;
    bool openclip;
} text_encoders[2][3] = {
    { { "cond_stage_model.transformer.", false },
      { "conditioner.embedders.0.transformer.", false },
      { "cond_stage_model.model.", true } },
    { { "conditioner.embedders.1.model.", true }, { "conditioner.embedders.1.transformer.", false }, { NULL, false } },
};

static bool has_prefix(const sdw_checkpoint *file, const char *prefix)
{
    size_t n = strlen(prefix);
    for (size_t i = 0; i < sdw_checkpoint_count(file); i++)
        if (strncmp(sdw_checkpoint_at(file, i)->name, prefix, n) == 0) return true;
    return false;
}

static sdw_status published_config(sdw_model_files_impl *m, const char *text, const char *part, yyjson_doc **ret,
                                   sdw_error *err)
{
    char what[96];
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    snprintf(what, sizeof what, "published %s configuration of %s", part, m->pub.family->name);
    return sdw_json_parse(text, strlen(text), what, &limits, ret, err);
}

/* Configurations of a file that came without: those that its family was published with. */
static sdw_status published_configs(sdw_model_files_impl *m, sdw_error *err)
{
    const sdw_family *f = m->pub.family;
    const char *const texts[SDW_PART_COUNT] = { f->text_encoder, f->text_encoder_2, f->unet, f->vae };
    sdw_status s = SDW_OK;
    for (int i = 0; s == SDW_OK && i < SDW_PART_COUNT; i++) {
        if (!texts[i][0]) continue;
        s = published_config(m, texts[i], m->pub.part[i].name, &m->config_doc[i], err);
        m->pub.part[i].present = true;
        m->pub.part[i].config = yyjson_doc_get_root(m->config_doc[i]);
    }
    if (s == SDW_OK) s = published_config(m, f->scheduler, "scheduler", &m->scheduler_doc, err);
    m->pub.scheduler = yyjson_doc_get_root(m->scheduler_doc);
    m->pub.class_name = sdw_strdup(f->class_name);
    if (s == SDW_OK && !m->pub.class_name) s = sdw_fail_memory(err, "class name", strlen(f->class_name));
    m->pub.force_zeros_for_empty_prompt = f->force_zeros_for_empty_prompt;
    m->pub.prediction_is_a_guess = f->prediction_is_a_guess;
    return s;
}

static int config_number(const sdw_part_files *part, const char *key, int fallback)
{
    yyjson_val *v = yyjson_obj_get(part->config, key);
    int n = yyjson_is_int(v) ? yyjson_get_int(v) : fallback;
    return n >= 1 ? n : fallback; /* whoever reads the whole configuration refuses what is wrong */
}

static bool has_projection(const sdw_part_files *part)
{
    yyjson_val *classes = yyjson_obj_get(part->config, "architectures");
    return yyjson_equals_str(yyjson_arr_get_first(classes), "CLIPTextModelWithProjection");
}

static sdw_status text_view(sdw_model_files_impl *m, int index, sdw_error *err)
{
    sdw_part_files *part = &m->pub.part[SDW_PART_TEXT_ENCODER + index];
    sdw_checkpoint *file = m->base[0];
    for (int i = 0; i < 3 && text_encoders[index][i].prefix; i++) {
        const char *prefix = text_encoders[index][i].prefix;
        if (!has_prefix(file, prefix)) continue;
        if (!text_encoders[index][i].openclip) return sdw_clip_view(file, prefix, &part->weights, err);
        const sdw_openclip_layout layout = { prefix, config_number(part, "num_hidden_layers", 12), has_projection(part) };
        return sdw_openclip_view(file, &layout, &part->weights, err);
    }
    return sdw_fail(err, SDW_FORMAT, "%s: no %s, want tensors named %s...", m->pub.path, part->name, text_encoders[index][0].prefix);
}

/* Diffusers names behind the part's: "unet.conv_in.weight". */
static sdw_status prefixed_views(sdw_model_files_impl *m, sdw_error *err)
{
    char prefix[32];
    sdw_status s = SDW_OK;
    for (int i = 0; s == SDW_OK && i < SDW_PART_COUNT; i++) {
        sdw_part_files *part = &m->pub.part[i];
        if (!part->present) continue;
        snprintf(prefix, sizeof prefix, "%s.", part->name);
        if (!has_prefix(m->base[0], prefix))
            return sdw_fail(err, SDW_FORMAT, "%s: no %s, want tensors named %s...", m->pub.path, part->name, prefix);
        s = i == SDW_PART_UNET  ? sdw_prefixed_view(m->base[0], prefix, &part->weights, err)
            : i == SDW_PART_VAE ? sdw_diffusers_vae_view(m->base[0], prefix, &part->weights, err)
                                : sdw_clip_view(m->base[0], prefix, &part->weights, err);
    }
    return s;
}

static sdw_status ldm_views(sdw_model_files_impl *m, sdw_error *err)
{
    sdw_part_files *part = m->pub.part;
    sdw_checkpoint *file = m->base[0];
    static const char *const prefixes[SDW_PART_COUNT] = {
        [SDW_PART_UNET] = "model.diffusion_model.", [SDW_PART_VAE] = "first_stage_model."
    };
    for (int i = SDW_PART_UNET; i <= SDW_PART_VAE; i++)
        if (!has_prefix(file, prefixes[i]))
            return sdw_fail(err, SDW_FORMAT, "%s: no %s, want tensors named %s...", m->pub.path, part[i].name, prefixes[i]);
    sdw_ldm_ignore_leftovers(file);
    sdw_status s = sdw_ldm_unet_view(file, config_number(&part[SDW_PART_UNET], "layers_per_block", 2), &part[SDW_PART_UNET].weights, err);
    if (s == SDW_OK) s = sdw_ldm_vae_view(file, &part[SDW_PART_VAE].weights, err);
    for (int i = 0; s == SDW_OK && i < 2; i++)
        if (part[SDW_PART_TEXT_ENCODER + i].present) s = text_view(m, i, err);
    return s;
}

static sdw_status open_single(sdw_model_files_impl *m, const sdw_model_files_options *o, sdw_warnings *warnings, sdw_error *err)
{
    const char *carried;
    m->pub.single_file = true;
    if (o->variant)
        return sdw_fail_field(err, SDW_INVALID, "variant", "%s: variant %.40s is asked for, but a single file has no variants",
                              m->pub.path, o->variant);
    sdw_status s = sdw_checkpoint_open(m->pub.path, &m->base[0], err);
    if (s == SDW_OK && o->config_dir) {
        s = sdw_model_folder_read(m, o->config_dir, warnings, err);
    } else if (s == SDW_OK && (carried = sdw_checkpoint_metadata(m->base[0], SDW_CARRIED_KEY)) != NULL) {
        s = sdw_model_carried_read(m, carried, err);
    } else if (s == SDW_OK) {
        s = sdw_family_detect(m->base[0], &m->pub.family, err);
        if (s == SDW_OK) s = published_configs(m, err);
    }
    if (s == SDW_OK) s = has_prefix(m->base[0], "unet.") ? prefixed_views(m, err) : ldm_views(m, err);
    return s;
}

static sdw_status open_folder(sdw_model_files_impl *m, const sdw_model_files_options *o, sdw_warnings *warnings, sdw_error *err)
{
    if (o->config_dir)
        return sdw_fail_field(err, SDW_INVALID, "config", "%s: is a folder with its own configuration; --config is for a single file",
                              m->pub.path);
    sdw_status s = sdw_model_folder_read(m, m->pub.path, warnings, err);
    if (s == SDW_OK && !o->configs_only) s = sdw_model_folder_open_weights(m, m->pub.path, o->variant, warnings, err);
    return s;
}

sdw_status sdw_model_files_open(const char *path, const sdw_model_files_options *options, sdw_model_files **ret,
                                sdw_warnings *warnings, sdw_error *err)
{
    static const char *const names[SDW_PART_COUNT] = { "text_encoder", "text_encoder_2", "unet", "vae" };
    static const sdw_model_files_options none = { 0 };
    struct stat st;
    if (!options) options = &none;
    if (stat(path, &st) != 0)
        return sdw_fail(err, errno == ENOENT || errno == ENOTDIR ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open the model: %s", path,
                        strerror(errno));
    sdw_model_files_impl *m = sdw_calloc(1, sizeof *m);
    if (!m) return sdw_fail_memory(err, path, sizeof *m);
    for (int i = 0; i < SDW_PART_COUNT; i++) m->pub.part[i].name = names[i];
    m->pub.path = sdw_strdup(path);
    sdw_status s;
    if (!m->pub.path) s = sdw_fail_memory(err, "path", strlen(path) + 1);
    else if (S_ISDIR(st.st_mode)) s = open_folder(m, options, warnings, err);
    else s = open_single(m, options, warnings, err);
    if (s == SDW_OK) *ret = &m->pub;
    else sdw_model_files_close(&m->pub);
    return s;
}

/* Names gathered for one warning. */
typedef struct unused_list {
    sdw_buf names;
    size_t count;
} unused_list;

static void add_unused(unused_list *u, const char *name)
{
    if (u->count++ < WARNED_NAMES) sdw_buf_printf(&u->names, "%s%s", u->names.size ? ", " : "", name);
}

static void warn_of(unused_list *u, const char *path, sdw_warnings *warnings)
{
    const char *names = u->names.data ? u->names.data : "";
    if (u->count > WARNED_NAMES)
        sdw_warn(warnings, "%s: %zu tensors are not used: %s and %zu more", path, u->count, names, u->count - WARNED_NAMES);
    else if (u->count)
        sdw_warn(warnings, "%s: %zu tensor%s not used: %s", path, u->count, u->count == 1 ? " is" : "s are", names);
    sdw_buf_finish(&u->names);
}

void sdw_model_files_warn_unused(const sdw_model_files *files, sdw_warnings *warnings)
{
    const sdw_model_files_impl *m = (const sdw_model_files_impl *)files;
    for (int b = 0; b < SDW_PART_COUNT; b++) {
        const sdw_checkpoint *base = m->base[b];
        if (!base) continue;
        unused_list u = { 0 };
        for (size_t i = 0; i < sdw_checkpoint_count(base); i++)
            if (!sdw_checkpoint_at(base, i)->used) add_unused(&u, sdw_checkpoint_at(base, i)->source_name);
        for (int p = 0; p < SDW_PART_COUNT; p++) {
            const sdw_checkpoint *view = files->part[p].weights;
            if (!view || view == base || (!files->single_file && p != b)) continue;
            for (size_t i = 0; i < sdw_checkpoint_count(view); i++) {
                const sdw_file_tensor *t = sdw_checkpoint_at(view, i);
                /* Of a tensor that was cut in slices only the first is counted. */
                if (!t->used && t->data == sdw_checkpoint_find(base, t->source_name)->data) add_unused(&u, t->source_name);
            }
        }
        warn_of(&u, sdw_checkpoint_path(base), warnings);
    }
}

void sdw_model_files_release(const sdw_model_files *files)
{
    const sdw_model_files_impl *m = (const sdw_model_files_impl *)files;
    for (int b = 0; b < SDW_PART_COUNT; b++)
        if (m->base[b]) sdw_checkpoint_release(m->base[b]);
}

void sdw_model_files_close(sdw_model_files *files)
{
    sdw_model_files_impl *m = (sdw_model_files_impl *)files;
    if (!m) return;
    for (int i = 0; i < SDW_PART_COUNT; i++) {
        bool own = true;
        for (int b = 0; b < SDW_PART_COUNT; b++) own = own && m->pub.part[i].weights != m->base[b];
        if (own) sdw_checkpoint_close(m->pub.part[i].weights);
        yyjson_doc_free(m->config_doc[i]);
    }
    for (int b = 0; b < SDW_PART_COUNT; b++) sdw_checkpoint_close(m->base[b]);
    yyjson_doc_free(m->scheduler_doc);
    yyjson_doc_free(m->index_doc);
    sdw_free(m->pub.tokenizer_dir[0]);
    sdw_free(m->pub.tokenizer_dir[1]);
    sdw_free(m->pub.class_name);
    sdw_free(m->pub.path);
    sdw_free(m);
}
