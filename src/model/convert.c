/* convert.c - see convert.h. The weight walk says what must be written and in which shape; views of the source give it
 * under canonical names. Same type and orientation: bytes are copied. Else: widened to f32, narrowed, checked. */
#include "model/convert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "io/safetensors_write.h"

enum {
    PIECE = 1 << 16,        /* values at a time */
    RELEASE_BYTES = 32 << 20 /* after so many bytes all mapped pages are given back: a fault maps neighbours too */
};

typedef struct converter {
    const sdw_convert_options *options;
    sdw_model_files *files;
    sdw_listed list;
    sdw_safetensors_writer *writer;
    float *wide;             /* PIECE of each */
    float *back;
    unsigned char *narrow;
    size_t touched;          /* bytes of the source since pages were given back */
    sdw_convert_result result;
} converter;

/* ---- where a listed tensor comes from ---- */

/* A dimension behind the last is 1: matrices may be stored as 1x1 convolutions, or listed as such. */
static int64_t dimension(int rank, const int64_t *shape, int i)
{
    return i < rank ? shape[i] : 1;
}

/* Compares with the canonical shape; t's is that of the file. */
static bool fits(const sdw_file_tensor *s, const sdw_listed_tensor *t)
{
    for (int i = 0; i < 4 || i < s->rank; i++) {
        int at = t->form == SDW_LDM_TRANSPOSED && i < 2 ? 1 - i : i;
        int64_t want = dimension(t->rank, t->shape, at);
        if (t->form == SDW_LDM_THREE && i == 0) want /= 3;
        if (dimension(s->rank, s->shape, i) != want) return false;
    }
    return true;
}

/* "[320, 4, 3, 3]", cut at size. */
static void shape_text(int rank, const int64_t *shape, char *ret, size_t size)
{
    size_t n = 0;
    for (int i = 0; i < rank && n < size; i++) n += (size_t)snprintf(ret + n, size - n, "%s%lld", i ? ", " : "[", (long long)shape[i]);
    if (n < size) snprintf(ret + n, size - n, "%s]", rank ? "" : "[");
}

static sdw_status refuse_shape(const char *path, const sdw_file_tensor *s, const sdw_listed_tensor *t, sdw_error *err)
{
    char found[96], wanted[96];
    sdw_listed_tensor canonical = *t;
    if (t->form == SDW_LDM_THREE) canonical.shape[0] /= 3;
    if (t->form == SDW_LDM_TRANSPOSED) {
        canonical.shape[0] = t->shape[1];
        canonical.shape[1] = t->shape[0];
    }
    shape_text(s->rank, s->shape, found, sizeof found);
    shape_text(canonical.rank, canonical.shape, wanted, sizeof wanted);
    return sdw_fail(err, SDW_FORMAT, "%s: tensor %s has shape %s, the configuration wants %s", path, s->source_name, found, wanted);
}

/* q, k and v of a fused tensor: which = 0, 1, 2. */
static void source_name(const sdw_listed_tensor *t, int which, char *ret, size_t size)
{
    char *at;
    snprintf(ret, size, "%s", t->name);
    if (which && (at = strstr(ret, ".q_proj.")) != NULL) at[1] = "qkv"[which];
}

static int source_count(const sdw_listed_tensor *t)
{
    return t->form == SDW_LDM_THREE ? 3 : 1;
}

static sdw_status find_source(const converter *c, int part, const sdw_listed_tensor *t, int which, sdw_file_tensor **ret, sdw_error *err)
{
    char name[256];
    const sdw_part_files *files = &c->files->part[part];
    source_name(t, which, name, sizeof name);
    sdw_file_tensor *s = sdw_checkpoint_find(files->weights, name);
    const char *path = sdw_checkpoint_path(files->weights);
    if (!s) return sdw_fail(err, SDW_NOT_FOUND, "%s: %s: tensor %s is missing", path, files->name, name);
    if (!sdw_dtype_is_weight(s->dtype))
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: tensor %s is of type %s, want F32, F16, BF16 or F8", path, s->source_name,
                        sdw_dtype_name(s->dtype));
    if (!fits(s, t)) return refuse_shape(path, s, t, err);
    s->used = true;
    *ret = s;
    return SDW_OK;
}

static sdw_dtype target_type(const sdw_convert_options *o, const sdw_file_tensor *s)
{
    if (o->keep_dtype) return s->dtype;
    bool narrow = o->dtype == SDW_F8_E4M3 || o->dtype == SDW_F8_E5M2;
    return narrow && s->rank < 2 ? SDW_F16 : o->dtype;
}

/* ---- values ---- */

static bool cancelled(const converter *c)
{
    return c->options->cancelled && c->options->cancelled(c->options->ctx);
}

/* n values at `wide` become the type `to` in c->narrow. */
static sdw_status narrow(const converter *c, const sdw_file_tensor *s, const float *wide, size_t n, sdw_dtype to, sdw_error *err)
{
    sdw_from_f32(to, wide, c->narrow, n);
    sdw_to_f32(to, c->narrow, c->back, n);
    for (size_t i = 0; i < n; i++)
        if (isfinite(wide[i]) && !isfinite(c->back[i]))
            return sdw_fail(err, SDW_NUMERIC, "tensor %s has the value %g, which %s cannot hold", s->source_name, (double)wide[i], sdw_dtype_name(to));
    return SDW_OK;
}

static void give_back(converter *c, size_t bytes)
{
    c->touched += bytes;
    if (c->touched < RELEASE_BYTES) return;
    sdw_model_files_release(c->files);
    c->touched = 0;
}

/* In the order of the source's bytes. */
static sdw_status write_straight(converter *c, const sdw_file_tensor *s, sdw_dtype to, sdw_error *err)
{
    size_t from_size = sdw_dtype_size(s->dtype), to_size = sdw_dtype_size(to), count = s->bytes / from_size;
    sdw_status status = SDW_OK;
    for (size_t at = 0; status == SDW_OK && at < count; at += PIECE) {
        size_t n = count - at < PIECE ? count - at : PIECE;
        const char *from = (const char *)s->data + at * from_size;
        if (cancelled(c)) return sdw_fail(err, SDW_CANCELLED, "cancelled");
        if (s->dtype == to) {
            status = sdw_safetensors_writer_write(c->writer, from, n * to_size, err);
        } else {
            sdw_to_f32(s->dtype, from, c->wide, n);
            status = narrow(c, s, c->wide, n, to, err);
            if (status == SDW_OK) status = sdw_safetensors_writer_write(c->writer, c->narrow, n * to_size, err);
        }
        give_back(c, n * from_size);
    }
    return status;
}

/* The other way round than in the source: a matrix as a whole (the largest, a text projection, has 1280 x 1280). */
static sdw_status write_turned(converter *c, const sdw_file_tensor *s, sdw_dtype to, sdw_error *err)
{
    sdw_file_tensor turned = *s;
    size_t count = s->bytes / sdw_dtype_size(s->dtype);
    float *all = sdw_malloc(count * sizeof *all);
    sdw_status status = SDW_OK;
    if (!all) return sdw_fail_memory(err, s->source_name, count * sizeof *all);
    if (!s->transposed) { /* as it lies it is shape[0] rows; read as the transpose of what is wanted */
        turned.shape[0] = s->shape[1];
        turned.shape[1] = s->shape[0];
        turned.transposed = true;
    }
    sdw_file_tensor_read_f32(&turned, all);
    for (size_t at = 0; status == SDW_OK && at < count; at += PIECE) {
        size_t n = count - at < PIECE ? count - at : PIECE;
        status = narrow(c, s, all + at, n, to, err);
        if (status == SDW_OK) status = sdw_safetensors_writer_write(c->writer, c->narrow, n * sdw_dtype_size(to), err);
    }
    sdw_free(all);
    give_back(c, s->bytes);
    return status;
}

/* ---- the file ---- */

/* One visit of everything that is written, in order: declares, or writes. */
static sdw_status for_all(converter *c, bool declare, sdw_error *err)
{
    sdw_status status = SDW_OK;
    sdw_file_tensor *s;
    for (int part = 0; part < SDW_PART_COUNT; part++)
        for (const sdw_listed_tensor *t = c->list.part[part].first; status == SDW_OK && t; t = t->next) {
            if (!t->file_name) continue;
            status = find_source(c, part, t, 0, &s, err);
            if (status != SDW_OK) return status;
            sdw_dtype to = target_type(c->options, s);
            if (declare) {
                c->result.tensors++;
                status = sdw_safetensors_writer_declare(c->writer, t->file_name, to, t->rank, t->shape, err);
            }
            for (int i = 0; status == SDW_OK && i < source_count(t); i++) {
                status = find_source(c, part, t, i, &s, err);
                if (status != SDW_OK || declare) continue;
                bool turn = s->transposed != (t->form == SDW_LDM_TRANSPOSED);
                status = turn ? write_turned(c, s, to, err) : write_straight(c, s, to, err);
            }
        }
    return status;
}

/* What the file carries about itself; see SDW_CARRIED_KEY. */
static sdw_status describe(const converter *c, sdw_buf *text, sdw_error *err)
{
    static const char *const kinds[SDW_PART_COUNT] = { "[\"transformers\",\"CLIPTextModel\"]", "[\"transformers\",\"CLIPTextModelWithProjection\"]",
                                                       "[\"diffusers\",\"UNet2DConditionModel\"]", "[\"diffusers\",\"AutoencoderKL\"]" };
    const sdw_model_files *m = c->files;
    const char *scheduler = yyjson_get_str(yyjson_obj_get(m->scheduler, "_class_name"));
    sdw_buf_puts(text, "{\"model_index\":{\"_class_name\":");
    sdw_json_append_text(text, m->class_name);
    sdw_buf_printf(text, ",\"force_zeros_for_empty_prompt\":%s", m->force_zeros_for_empty_prompt ? "true" : "false");
    for (int i = 0; i < SDW_PART_COUNT; i++)
        if (m->part[i].present) sdw_buf_printf(text, ",\"%s\":%s", m->part[i].name, kinds[i]);
    sdw_buf_puts(text, ",\"scheduler\":[\"diffusers\",");
    sdw_json_append_text(text, scheduler ? scheduler : "DDIMScheduler");
    sdw_buf_puts(text, "]}");
    for (int i = 0; i < SDW_PART_COUNT; i++) {
        if (!m->part[i].present) continue;
        sdw_buf_printf(text, ",\"%s\":", m->part[i].name);
        sdw_json_append(text, m->part[i].config);
    }
    sdw_buf_puts(text, ",\"scheduler\":");
    sdw_json_append(text, m->scheduler);
    sdw_buf_printf(text, ",\"%s\":%s}", SDW_CARRIED_GUESS, m->prediction_is_a_guess ? "true" : "false");
    return text->failed ? sdw_fail_memory(err, "configurations", text->size) : SDW_OK;
}

static sdw_status add_metadata(const converter *c, sdw_error *err)
{
    sdw_buf text;
    sdw_buf_init(&text, 0);
    sdw_status s = describe(c, &text, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_metadata(c->writer, "format", "pt", err);
    if (s == SDW_OK) s = sdw_safetensors_writer_metadata(c->writer, SDW_CARRIED_KEY, text.data, err);
    sdw_buf_finish(&text);
    return s;
}

/* A file has no room for a tokenizer: whoever loads it takes the vocabulary that every published CLIP has. */
static void warn_of_tokenizers(const sdw_model_files *m, sdw_warnings *warnings)
{
    enum { CLIP_VOCABULARY = 49408 };
    for (int i = 0; i < 2; i++) {
        yyjson_val *size = yyjson_obj_get(m->part[SDW_PART_TEXT_ENCODER + i].config, "vocab_size");
        if (m->tokenizer_dir[i] && yyjson_is_int(size) && yyjson_get_int(size) != CLIP_VOCABULARY)
            sdw_warn(warnings, "%s: this tokenizer is no part of the file; load it with --config %s", m->tokenizer_dir[i], m->path);
    }
}

static sdw_status convert(converter *c, sdw_warnings *warnings, sdw_error *err)
{
    const sdw_convert_options *o = c->options;
    const sdw_model_files_options fo = { .config_dir = o->config_dir, .variant = o->variant };
    sdw_status s = sdw_safetensors_writer_open(o->output, o->replace, &c->writer, err);
    if (s == SDW_OK) s = sdw_model_files_open(o->model, &fo, &c->files, warnings, err);
    for (int i = 0; s == SDW_OK && i < SDW_PART_COUNT; i++)
        if (c->files->part[i].present) s = sdw_listed_add(&c->list, (sdw_part_id)i, c->files->part[i].name, c->files->part[i].config, err);
    if (s == SDW_OK) s = sdw_listed_rename(&c->list, o->naming, err);
    if (s == SDW_OK) s = add_metadata(c, err);
    if (s == SDW_OK) s = for_all(c, true, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_begin(c->writer, err);
    if (s == SDW_OK) s = for_all(c, false, err);
    if (s == SDW_OK) s = sdw_safetensors_writer_commit(c->writer, err);
    if (s != SDW_OK) return s;
    c->result.bytes = sdw_safetensors_writer_data_bytes(c->writer);
    c->result.family = c->files->family->name;
    sdw_model_files_warn_unused(c->files, warnings);
    warn_of_tokenizers(c->files, warnings);
    return SDW_OK;
}

sdw_status sdw_convert(const sdw_convert_options *o, sdw_convert_result *ret, sdw_warnings *warnings, sdw_error *err)
{
    converter c = { .options = o };
    c.wide = sdw_malloc(PIECE * sizeof *c.wide);
    c.back = sdw_malloc(PIECE * sizeof *c.back);
    c.narrow = sdw_malloc(PIECE * sizeof(float));
    sdw_status s = c.wide && c.back && c.narrow ? convert(&c, warnings, err) : sdw_fail_memory(err, "conversion", PIECE * sizeof(float));
    if (s == SDW_OK) *ret = c.result;
    sdw_safetensors_writer_close(c.writer);
    sdw_listed_finish(&c.list);
    sdw_model_files_close(c.files);
    sdw_free(c.wide);
    sdw_free(c.back);
    sdw_free(c.narrow);
    return s;
}
