/* random_model.c - see random_model.h. The weight walk lists what a model must have; values come from a table of normals
 * that is indexed at random, which is fast enough to be limited by the disk. */
#include "oracle/random_model.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/mem.h"
#include "core/rng.h"
#include "image/file.h"
#include "io/safetensors_write.h"
#include "model/family.h"
#include "model/walk.h"
#include "oracle/ldm_out.h"

enum { TABLE = 1 << 16, CHUNK = 1 << 18 };

typedef struct item { /* one tensor of the file */
    const char *name, *file_name; /* canonical; as written */
    int rank;
    int64_t shape[4];
    struct item *next;
} item;

typedef struct part { /* of a model: name, configuration, tensors */
    sdw_part_id id;
    const char *name, *text; /* "unet"; JSON of its configuration */
    yyjson_doc *config;
    item *first, **last;
} part;

typedef struct maker {
    const sdw_random_model_options *options;
    const sdw_family *family;
    sdw_arena arena;
    part parts[SDW_PART_COUNT];
    float *normals;          /* TABLE of them */
    unsigned char *ready;    /* the table scaled, in the file's type */
    unsigned char *chunk;
    uint64_t state;          /* of the index generator */
    int64_t parameters;
    bool no_memory;
} maker;

/* ---- listing ---- */

typedef struct listing {
    maker *m;
    part *p;
} listing;

static void add_item(void *ctx, const char *name, int rank, const int64_t *shape)
{
    listing *l = ctx;
    item *it = sdw_arena_alloc(&l->m->arena, sizeof *it);
    char *copy = sdw_arena_strdup(&l->m->arena, name);
    if (!it || !copy || rank > 4) {
        l->m->no_memory = true;
        return;
    }
    *it = (item){ .name = copy, .file_name = copy, .rank = rank };
    memcpy(it->shape, shape, (size_t)rank * sizeof *shape);
    *l->p->last = it;
    l->p->last = &it->next;
}

static sdw_status list_part(maker *m, sdw_part_id id, const char *name, const char *text, sdw_error *err)
{
    part *p = &m->parts[id];
    *p = (part){ .id = id, .name = name, .text = text, .last = &p->first };
    if (!text || !*text) return SDW_OK;
    sdw_status s = sdw_json_parse(text, strlen(text), name, NULL, &p->config, err);
    listing l = { m, p };
    if (s == SDW_OK) s = sdw_model_walk(id, yyjson_doc_get_root(p->config), name, add_item, &l, NULL, err);
    if (s == SDW_OK && m->no_memory) s = sdw_fail_memory(err, "random model", 0);
    return s;
}

static sdw_status list_parts(maker *m, sdw_error *err)
{
    const sdw_family *f = m->family;
    sdw_status s = list_part(m, SDW_PART_TEXT_ENCODER, "text_encoder", f->text_encoder, err);
    if (s == SDW_OK) s = list_part(m, SDW_PART_TEXT_ENCODER_2, "text_encoder_2", f->text_encoder_2, err);
    if (s == SDW_OK) s = list_part(m, SDW_PART_UNET, "unet", f->unet, err);
    if (s == SDW_OK) s = list_part(m, SDW_PART_VAE, "vae", f->vae, err);
    return s;
}

/* ---- values ---- */

/* splitmix64: Steele, Lea, Flood 2014. */
static uint64_t next_index(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

/* Mean and spread. Matrices keep the variance of their input: 1 / fan-in (LeCun 1998); tables as CLIP begins with them;
 * norms near identity, biases near zero. */
static void spread(const item *it, float *ret_mean, float *ret_deviation)
{
    int64_t fan_in = 1;
    for (int i = 1; i < it->rank; i++) fan_in *= it->shape[i];
    *ret_mean = 0;
    if (it->rank >= 2) *ret_deviation = strstr(it->name, "embedding.weight") ? 0.02f : (float)(1 / sqrt((double)fan_in));
    else if (ends_with(it->name, "bias")) *ret_deviation = 0.02f;
    else *ret_mean = 1, *ret_deviation = 0.05f;
}

static void scale_table(maker *m, float mean, float deviation)
{
    float scaled[1024];
    size_t bytes = sdw_dtype_size(m->options->dtype);
    for (int i = 0; i < TABLE; i += 1024) {
        for (int k = 0; k < 1024; k++) scaled[k] = mean + deviation * m->normals[i + k];
        sdw_from_f32(m->options->dtype, scaled, m->ready + (size_t)i * bytes, 1024);
    }
}

static void fill16(maker *m, uint16_t *dst, size_t n)
{
    const uint16_t *table = (const uint16_t *)(const void *)m->ready;
    for (size_t i = 0; i < n; i += 4) {
        uint64_t r = next_index(&m->state);
        for (size_t k = 0; k < 4 && i + k < n; k++, r >>= 16) dst[i + k] = table[r & 0xffff];
    }
}

static void fill32(maker *m, uint32_t *dst, size_t n)
{
    const uint32_t *table = (const uint32_t *)(const void *)m->ready;
    for (size_t i = 0; i < n; i += 4) {
        uint64_t r = next_index(&m->state);
        for (size_t k = 0; k < 4 && i + k < n; k++, r >>= 16) dst[i + k] = table[r & 0xffff];
    }
}

static sdw_status write_item(maker *m, const item *it, sdw_safetensors_writer *w, sdw_error *err)
{
    size_t left = 1, bytes = sdw_dtype_size(m->options->dtype);
    float mean, deviation;
    for (int i = 0; i < it->rank; i++) left *= (size_t)it->shape[i];
    m->parameters += (int64_t)left;
    spread(it, &mean, &deviation);
    scale_table(m, mean, deviation);
    while (left) {
        size_t n = left < CHUNK ? left : CHUNK;
        if (bytes == 2) fill16(m, (uint16_t *)(void *)m->chunk, n);
        else fill32(m, (uint32_t *)(void *)m->chunk, n);
        sdw_status s = sdw_safetensors_writer_write(w, m->chunk, n * bytes, err);
        if (s != SDW_OK) return s;
        left -= n;
    }
    return SDW_OK;
}

/* ---- files ---- */

static sdw_status declare(const maker *m, const part *p, sdw_safetensors_writer *w, sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (const item *it = p->first; it && s == SDW_OK; it = it->next)
        if (it->file_name) s = sdw_safetensors_writer_declare(w, it->file_name, m->options->dtype, it->rank, it->shape, err);
    return s;
}

static sdw_status fill(maker *m, const part *p, sdw_safetensors_writer *w, sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (const item *it = p->first; it && s == SDW_OK; it = it->next)
        if (it->file_name) s = write_item(m, it, w, err);
    return s;
}

/* The tensors of parts[first..last] as one file. */
static sdw_status write_weights(maker *m, const char *path, int first, int last, sdw_error *err)
{
    sdw_safetensors_writer *w = NULL;
    sdw_status s = sdw_safetensors_writer_open(path, m->options->replace, &w, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_metadata(w, "format", "pt", err);
    for (int i = first; i <= last && s == SDW_OK; i++) s = declare(m, &m->parts[i], w, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_begin(w, err);
    for (int i = first; i <= last && s == SDW_OK; i++) s = fill(m, &m->parts[i], w, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_commit(w, err);
    sdw_safetensors_writer_close(w);
    return s;
}

/* ---- a folder ---- */

static sdw_status join(char path[PATH_MAX], const char *a, const char *b, const char *c, sdw_error *err)
{
    int n = c ? snprintf(path, PATH_MAX, "%s/%s/%s", a, b, c) : snprintf(path, PATH_MAX, "%s/%s", a, b);
    return n > 0 && n < PATH_MAX ? SDW_OK : sdw_fail(err, SDW_INVALID, "%s: the path is too long", a);
}

static sdw_status make_folder(const char *path, bool may_exist, sdw_error *err)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && may_exist)) return SDW_OK;
    return sdw_fail(err, errno == EEXIST ? SDW_EXISTS : SDW_IO, "%s: %s", path, strerror(errno));
}

static sdw_status write_text(const maker *m, const char *folder, const char *file, const char *text, sdw_error *err)
{
    char path[PATH_MAX];
    sdw_status s = join(path, m->options->output, folder ? folder : file, folder ? file : NULL, err);
    return s == SDW_OK ? sdw_image_write_file(path, text, strlen(text), m->options->replace, err) : s;
}

static sdw_status write_index(const maker *m, sdw_error *err)
{
    static const char *const kinds[SDW_PART_COUNT] = {
        "[\"transformers\", \"CLIPTextModel\"]", "[\"transformers\", \"CLIPTextModelWithProjection\"]",
        "[\"diffusers\", \"UNet2DConditionModel\"]", "[\"diffusers\", \"AutoencoderKL\"]" };
    sdw_buf text;
    yyjson_doc *doc = NULL;
    sdw_buf_init(&text, 0);
    sdw_status s = sdw_json_parse(m->family->scheduler, strlen(m->family->scheduler), "scheduler", NULL, &doc, err);
    if (s != SDW_OK) return s;
    const char *scheduler = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "_class_name"));
    sdw_buf_printf(&text, "{\n  \"_class_name\": \"%s\",\n", m->family->class_name);
    if (m->family->force_zeros_for_empty_prompt) sdw_buf_puts(&text, "  \"force_zeros_for_empty_prompt\": true,\n");
    for (int i = 0; i < SDW_PART_COUNT; i++)
        if (m->parts[i].first) sdw_buf_printf(&text, "  \"%s\": %s,\n", m->parts[i].name, kinds[i]);
    sdw_buf_printf(&text, "  \"scheduler\": [\"diffusers\", \"%s\"]\n}\n", scheduler ? scheduler : "DDIMScheduler");
    s = text.failed ? sdw_fail_memory(err, "model_index.json", 0) : write_text(m, NULL, "model_index.json", text.data, err);
    yyjson_doc_free(doc);
    sdw_buf_finish(&text);
    return s;
}

static sdw_status write_folder(maker *m, sdw_error *err)
{
    char path[PATH_MAX];
    const char *out = m->options->output;
    sdw_status s = make_folder(out, m->options->replace, err);
    if (s == SDW_OK) s = write_index(m, err);
    if (s == SDW_OK) s = join(path, out, "scheduler", NULL, err);
    if (s == SDW_OK) s = make_folder(path, true, err);
    if (s == SDW_OK) s = write_text(m, "scheduler", "scheduler_config.json", m->family->scheduler, err);
    for (int i = 0; i < SDW_PART_COUNT && s == SDW_OK; i++) {
        const part *p = &m->parts[i];
        if (!p->first) continue;
        bool text = i == SDW_PART_TEXT_ENCODER || i == SDW_PART_TEXT_ENCODER_2;
        s = join(path, out, p->name, NULL, err);
        if (s == SDW_OK) s = make_folder(path, true, err);
        if (s == SDW_OK) s = write_text(m, p->name, "config.json", p->text, err);
        if (s == SDW_OK) s = join(path, out, p->name, text ? "model.safetensors" : "diffusion_pytorch_model.safetensors", err);
        if (s == SDW_OK) s = write_weights(m, path, i, i, err);
    }
    return s;
}

/* ---- one file ---- */

static sdw_ldm_layout layout_of(const maker *m)
{
    yyjson_val *unet = yyjson_doc_get_root(m->parts[SDW_PART_UNET].config), *layers = yyjson_obj_get(unet, "layers_per_block");
    sdw_ldm_layout l = { .resnets = yyjson_is_int(layers) ? yyjson_get_int(layers) : 2 };
    int level;
    char rest[16];
    for (const item *it = m->parts[SDW_PART_UNET].first; it; it = it->next) {
        if (strncmp(it->name, "up_blocks.", 10) || it->name[10] < '0' || it->name[10] > '9') continue;
        level = it->name[10] - '0'; /* fewer than ten levels in any family */
        snprintf(rest, sizeof rest, "%.12s", it->name + 11);
        if (!strcmp(rest, ".attentions.")) l.up_attention |= 1u << level;
    }
    for (const item *it = m->parts[SDW_PART_VAE].first; it; it = it->next)
        if (!strncmp(it->name, "decoder.up_blocks.", 18) && it->name[18] - '0' >= l.vae_levels) l.vae_levels = it->name[18] - '0' + 1;
    return l;
}

static void reshape(item *it, sdw_ldm_shape shape)
{
    if (shape == SDW_LDM_CONV) {
        it->rank = 4;
        it->shape[2] = it->shape[3] = 1;
    } else if (shape == SDW_LDM_TRANSPOSED) {
        int64_t rows = it->shape[0];
        it->shape[0] = it->shape[1];
        it->shape[1] = rows;
    } else if (shape == SDW_LDM_THREE) {
        it->shape[0] *= 3;
    }
}

/* Text encoders: the second one, and SD 2's first, are OpenCLIP's; the others keep Hugging Face names. */
static bool text_name(const maker *m, const part *p, const char *name, char *ret, size_t size, sdw_ldm_shape *shape)
{
    bool xl = m->parts[SDW_PART_TEXT_ENCODER_2].first != NULL, second = p->id == SDW_PART_TEXT_ENCODER_2;
    char inner[200];
    *shape = SDW_LDM_SAME;
    yyjson_val *width = yyjson_obj_get(yyjson_doc_get_root(p->config), "hidden_size");
    bool openclip = second || (!xl && yyjson_get_int(width) == 1024);
    if (!openclip) {
        snprintf(ret, size, "%s.transformer.text_model.%s", xl ? "conditioner.embedders.0" : "cond_stage_model", name);
        return true;
    }
    if (!sdw_openclip_name(name, inner, sizeof inner, shape)) return false;
    snprintf(ret, size, "%s.model.%s", xl ? "conditioner.embedders.1" : "cond_stage_model", inner);
    return true;
}

static sdw_status rename_all(maker *m, sdw_error *err)
{
    const sdw_ldm_layout l = layout_of(m);
    char name[256];
    for (int i = 0; i < SDW_PART_COUNT; i++)
        for (item *it = m->parts[i].first; it; it = it->next) {
            sdw_ldm_shape shape = SDW_LDM_SAME;
            bool placed = i == SDW_PART_UNET ? sdw_ldm_unet_name(&l, it->name, name, sizeof name)
                        : i == SDW_PART_VAE ? sdw_ldm_vae_name(&l, it->name, name, sizeof name, &shape)
                                            : text_name(m, &m->parts[i], it->name, name, sizeof name, &shape);
            it->file_name = placed ? sdw_arena_strdup(&m->arena, name) : NULL;
            if (placed && !it->file_name) return sdw_fail_memory(err, "random model", 0);
            if (placed) reshape(it, shape);
        }
    return SDW_OK;
}

static sdw_status write_file(maker *m, sdw_error *err)
{
    sdw_status s = rename_all(m, err);
    return s == SDW_OK ? write_weights(m, m->options->output, 0, SDW_PART_COUNT - 1, err) : s;
}

/* ---- all ---- */

static sdw_status find_family(maker *m, sdw_error *err)
{
    int count;
    char names[200] = "";
    m->family = m->options->family ? sdw_family_by_name(m->options->family) : NULL;
    if (m->family) return SDW_OK;
    const sdw_family *const *all = sdw_families(&count);
    for (int i = 0; i < count; i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", all[i]->name);
    }
    return sdw_fail(err, SDW_INVALID, "family: '%.40s' given, want one of %s", m->options->family ? m->options->family : "", names);
}

static sdw_status make_tables(maker *m, sdw_error *err)
{
    sdw_rng rng;
    m->normals = sdw_malloc(TABLE * sizeof *m->normals);
    m->ready = sdw_malloc(TABLE * sizeof(float));
    m->chunk = sdw_malloc(CHUNK * sizeof(float));
    if (!m->normals || !m->ready || !m->chunk) return sdw_fail_memory(err, "random model", CHUNK * sizeof(float));
    sdw_rng_init(&rng, SDW_RNG_TORCH_CPU, m->options->seed);
    sdw_rng_normal(&rng, m->normals, TABLE);
    m->state = m->options->seed;
    return SDW_OK;
}

sdw_status sdw_random_model_write(const sdw_random_model_options *o, int64_t *ret_parameters, sdw_error *err)
{
    maker m = { .options = o };
    sdw_status s = find_family(&m, err);
    if (s == SDW_OK) s = make_tables(&m, err);
    if (s == SDW_OK) s = list_parts(&m, err);
    if (s == SDW_OK) s = ends_with(o->output, ".safetensors") ? write_file(&m, err) : write_folder(&m, err);
    for (int i = 0; i < SDW_PART_COUNT; i++) yyjson_doc_free(m.parts[i].config);
    sdw_arena_finish(&m.arena);
    sdw_free(m.normals);
    sdw_free(m.ready);
    sdw_free(m.chunk);
    if (s == SDW_OK && ret_parameters) *ret_parameters = m.parameters;
    return s;
}
