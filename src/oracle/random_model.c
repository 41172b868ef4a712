/* random_model.c - see random_model.h. The weight walk lists what a model must have; values come from a table of normals
 * that is indexed at random, which is fast enough to be limited by the disk. */
#include "oracle/random_model.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/rng.h"
#include "image/file.h"
#include "io/safetensors_write.h"
#include "model/family.h"
#include "model/listed.h"

enum { TABLE = 1 << 16, CHUNK = 1 << 18 };

typedef struct maker {
    const sdw_random_model_options *options;
    const sdw_family *family;
    sdw_listed list;
    const char *config_text[SDW_PART_COUNT]; /* JSON of a part's configuration; NULL = no such part */
    yyjson_doc *config[SDW_PART_COUNT];
    float *normals;          /* TABLE of them */
    unsigned char *ready;    /* the table scaled, in the file's type */
    unsigned char *chunk;
    uint64_t state;          /* of the index generator */
    int64_t parameters;
} maker;

/* ---- listing ---- */

static sdw_status list_parts(maker *m, sdw_error *err)
{
    static const char *const names[SDW_PART_COUNT] = { "text_encoder", "text_encoder_2", "unet", "vae" };
    const sdw_family *f = m->family;
    const char *const texts[SDW_PART_COUNT] = { f->text_encoder, f->text_encoder_2, f->unet, f->vae };
    sdw_status s = SDW_OK;
    for (int id = 0; s == SDW_OK && id < SDW_PART_COUNT; id++) {
        if (!texts[id] || !*texts[id]) continue;
        m->config_text[id] = texts[id];
        s = sdw_json_parse(texts[id], strlen(texts[id]), names[id], NULL, &m->config[id], err);
        if (s == SDW_OK) s = sdw_listed_add(&m->list, (sdw_part_id)id, names[id], yyjson_doc_get_root(m->config[id]), err);
    }
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
static void spread(const sdw_listed_tensor *it, float *ret_mean, float *ret_deviation)
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

static sdw_status write_item(maker *m, const sdw_listed_tensor *it, sdw_safetensors_writer *w, sdw_error *err)
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

static sdw_status declare(const maker *m, const sdw_listed_part *p, sdw_safetensors_writer *w, sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (const sdw_listed_tensor *it = p->first; it && s == SDW_OK; it = it->next)
        if (it->file_name) s = sdw_safetensors_writer_declare(w, it->file_name, m->options->dtype, it->rank, it->shape, err);
    return s;
}

static sdw_status fill(maker *m, const sdw_listed_part *p, sdw_safetensors_writer *w, sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (const sdw_listed_tensor *it = p->first; it && s == SDW_OK; it = it->next)
        if (it->file_name) s = write_item(m, it, w, err);
    return s;
}

/* The tensors of parts first..last as one file. */
static sdw_status write_weights(maker *m, const char *path, int first, int last, sdw_error *err)
{
    sdw_safetensors_writer *w = NULL;
    sdw_status s = sdw_safetensors_writer_open(path, m->options->replace, &w, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_metadata(w, "format", "pt", err);
    for (int i = first; i <= last && s == SDW_OK; i++) s = declare(m, &m->list.part[i], w, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_begin(w, err);
    for (int i = first; i <= last && s == SDW_OK; i++) s = fill(m, &m->list.part[i], w, err);
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
        if (m->list.part[i].name) sdw_buf_printf(&text, "  \"%s\": %s,\n", m->list.part[i].name, kinds[i]);
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
        const sdw_listed_part *p = &m->list.part[i];
        if (!p->name) continue;
        bool text = i == SDW_PART_TEXT_ENCODER || i == SDW_PART_TEXT_ENCODER_2;
        s = join(path, out, p->name, NULL, err);
        if (s == SDW_OK) s = make_folder(path, true, err);
        if (s == SDW_OK) s = write_text(m, p->name, "config.json", m->config_text[i], err);
        if (s == SDW_OK) s = join(path, out, p->name, text ? "model.safetensors" : "diffusion_pytorch_model.safetensors", err);
        if (s == SDW_OK) s = write_weights(m, path, i, i, err);
    }
    return s;
}

/* ---- one file ---- */

static sdw_status write_file(maker *m, sdw_error *err)
{
    sdw_status s = sdw_listed_rename(&m->list, SDW_NAMING_LDM, err);
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
    for (int i = 0; i < SDW_PART_COUNT; i++) yyjson_doc_free(m.config[i]);
    sdw_listed_finish(&m.list);
    sdw_free(m.normals);
    sdw_free(m.ready);
    sdw_free(m.chunk);
    if (s == SDW_OK && ret_parameters) *ret_parameters = m.parameters;
    return s;
}
