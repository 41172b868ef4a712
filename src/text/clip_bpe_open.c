/* clip_bpe_open.c - a tokenizer from the library's own vocabulary or from a folder of files.
 *
 * The special tokens are where published folders disagree. tokenizer_config.json and special_tokens_map.json both name
 * them, as a string or as an object with "content" and "normalized"; SD 2.1's two files name different padding. The
 * reference lets the map win, except beside an "added_tokens_decoder", whose owner is the config alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "text/clip_bpe_impl.h"
#include "text/unicode.h"

#define BOS_DEFAULT "<|startoftext|>"
#define EOS_DEFAULT "<|endoftext|>"

typedef struct settings {
    const char *what;
    yyjson_val *config, *map, *decoder; /* each may be NULL */
} settings;

void sdw_clip_bpe_close(sdw_clip_bpe *t)
{
    if (!t) return;
    for (int i = 0; i < t->special_count; i++) sdw_free(t->special[i].text);
    sdw_clip_vocab_free(&t->vocab);
    sdw_free(t);
}

/* A text that is there already keeps its first form, as in the reference. */
static sdw_status add_special(sdw_clip_bpe *t, const char *text, int32_t id, bool normalized, const char *what,
                              sdw_error *err)
{
    sdw_buf spelled;
    for (int i = 0; i < t->special_count; i++)
        if (t->special[i].id == id) return SDW_OK;
    if (t->special_count == SDW_LIMIT_SPECIALS)
        return sdw_fail(err, SDW_LIMIT, "%s: more than %d special tokens, want at most so many", what, SDW_LIMIT_SPECIALS);
    sdw_buf_init(&spelled, 0);
    if (!normalized) sdw_buf_puts(&spelled, text);
    else if (sdw_text_normalize(text, strlen(text), &spelled, err) != SDW_OK) spelled.failed = true;
    size_t size;
    char *copy = sdw_buf_take(&spelled, &size);
    if (!copy) return sdw_fail_memory(err, what, strlen(text));
    t->special[t->special_count++] = (sdw_clip_special){ copy, size, id, normalized };
    if (id > t->max_id) t->max_id = id;
    return SDW_OK;
}

/* Text of a token given as a string or as {"content": ...}; NULL if it is neither, or empty. */
static const char *content(yyjson_val *token)
{
    yyjson_val *text = yyjson_is_obj(token) ? yyjson_obj_get(token, "content") : token;
    const char *s = yyjson_get_str(text);
    return s && *s && strlen(s) == yyjson_get_len(text) ? s : NULL;
}

static yyjson_val *named_token(const settings *s, const char *name)
{
    yyjson_val *first = yyjson_obj_get(s->decoder ? s->config : s->map, name);
    return content(first) ? first : yyjson_obj_get(s->decoder ? s->map : s->config, name);
}

/* The entry of added_tokens_decoder (id -> token) with this text. */
static yyjson_val *decoder_entry(const settings *s, const char *text, const char **ret_key)
{
    size_t i, n;
    yyjson_val *key, *value;
    if (!s->decoder) return NULL; /* yyjson's loops take no NULL */
    yyjson_obj_foreach(s->decoder, i, n, key, value) {
        const char *entry = content(value);
        if (!entry || strcmp(entry, text) != 0) continue;
        *ret_key = yyjson_get_str(key);
        return value;
    }
    return NULL;
}

/* A decimal id below the limit, else -1. */
static int32_t parse_id(const char *text)
{
    int32_t id = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') return -1;
        id = id * 10 + (*p - '0');
        if (id >= SDW_LIMIT_VOCAB) return -1;
    }
    return *text ? id : -1;
}

/* Looks the token up and makes it a special one. A string is looked for in the raw text, an object as it says. */
static sdw_status resolve(sdw_clip_bpe *t, const settings *s, const char *name, yyjson_val *token, int32_t *ret_id,
                          sdw_error *err)
{
    const char *text = content(token), *key = NULL;
    if (!text) return sdw_fail(err, SDW_FORMAT, "%s: %s: want a token's text, as a string or as \"content\"", s->what, name);
    yyjson_val *entry = decoder_entry(s, text, &key);
    int32_t id = sdw_clip_vocab_find(&t->vocab, text, strlen(text));
    if (id < 0 && entry) id = parse_id(key);
    if (id < 0)
        return sdw_fail(err, SDW_FORMAT, "%s: %s \"%.60s\" is not in vocab.json, want one of its tokens", s->what, name,
                        text);
    yyjson_val *flag = yyjson_obj_get(entry ? entry : token, "normalized");
    bool normalized = flag ? yyjson_get_bool(flag) : yyjson_is_obj(token) && !entry;
    sdw_status status = add_special(t, text, id, normalized, s->what, err);
    if (status == SDW_OK) *ret_id = id;
    return status;
}

/* A token of that name, or `fallback` as text (NULL: leave *ret_id alone). */
static sdw_status named(sdw_clip_bpe *t, const settings *s, const char *name, const char *fallback, int32_t *ret_id,
                        sdw_error *err)
{
    yyjson_val *token = named_token(s, name);
    if (token && !yyjson_is_null(token)) return resolve(t, s, name, token, ret_id, err);
    if (!fallback) return SDW_OK;
    int32_t id = sdw_clip_vocab_find(&t->vocab, fallback, strlen(fallback));
    if (id < 0)
        return sdw_fail(err, SDW_FORMAT, "%s: no file names a %s and vocab.json lacks \"%s\", want one of the two", s->what,
                        name, fallback);
    *ret_id = id;
    return add_special(t, fallback, id, true, s->what, err);
}

static sdw_status read_additional(sdw_clip_bpe *t, const settings *s, sdw_error *err)
{
    size_t i, n;
    yyjson_val *key, *value;
    int32_t id = 0;
    sdw_status status = SDW_OK;
    yyjson_val *list = yyjson_obj_get(s->decoder ? s->config : s->map, "additional_special_tokens");
    if (yyjson_is_arr(list)) {
        yyjson_arr_foreach(list, i, n, value) {
            if (status == SDW_OK) status = resolve(t, s, "additional_special_tokens", value, &id, err);
        }
    }
    if (s->decoder) {
        yyjson_obj_foreach(s->decoder, i, n, key, value) {
            if (status == SDW_OK) status = resolve(t, s, "added_tokens_decoder", value, &id, err);
        }
    }
    return status;
}

static sdw_status read_specials(sdw_clip_bpe *t, const settings *s, sdw_error *err)
{
    static const char *const others[] = { "sep_token", "cls_token", "mask_token" };
    int32_t ignored;
    t->max_id = t->vocab.size - 1;
    sdw_status status = named(t, s, "bos_token", BOS_DEFAULT, &t->bos, err);
    if (status == SDW_OK) status = named(t, s, "eos_token", EOS_DEFAULT, &t->eos, err);
    t->unk = t->pad = t->eos;
    if (status == SDW_OK) status = named(t, s, "unk_token", NULL, &t->unk, err);
    if (status == SDW_OK) status = named(t, s, "pad_token", NULL, &t->pad, err);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (status == SDW_OK) status = named(t, s, others[i], NULL, &ignored, err);
    return status == SDW_OK ? read_additional(t, s, err) : status;
}

/* Absurdly large lengths stand for "no limit known" in published files. */
static int read_length(const settings *s)
{
    yyjson_val *value = yyjson_obj_get(s->config, "model_max_length");
    double n = yyjson_is_num(value) ? yyjson_get_num(value) : 0;
    return n >= 3 && n <= SDW_CLIP_LENGTH_MAX ? (int)n : SDW_CLIP_LENGTH;
}

static sdw_status parse_optional(const char *text, size_t size, const char *what, yyjson_doc **ret, sdw_error *err)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    return text ? sdw_json_parse(text, size, what, &limits, ret, err) : SDW_OK;
}

sdw_status sdw_clip_bpe_open_texts(const sdw_clip_bpe_texts *x, sdw_clip_bpe **ret, sdw_error *err)
{
    yyjson_doc *config = NULL, *map = NULL;
    sdw_clip_bpe *t = sdw_calloc(1, sizeof *t);
    sdw_status status = t ? SDW_OK : sdw_fail_memory(err, x->what, sizeof *t);
    if (status == SDW_OK) status = parse_optional(x->config, x->config_size, "tokenizer_config.json", &config, err);
    if (status == SDW_OK) status = parse_optional(x->map, x->map_size, "special_tokens_map.json", &map, err);
    if (status == SDW_OK)
        status = sdw_clip_vocab_parse(x->vocab, x->vocab_size, x->merges, x->merges_size, x->what, &t->vocab, err);
    if (status == SDW_OK) {
        settings s = { x->what, yyjson_doc_get_root(config), yyjson_doc_get_root(map), NULL };
        s.decoder = yyjson_obj_get(s.config, "added_tokens_decoder");
        if (!yyjson_is_obj(s.decoder)) s.decoder = NULL;
        status = read_specials(t, &s, err);
        t->length = read_length(&s);
    }
    yyjson_doc_free(config);
    yyjson_doc_free(map);
    if (status == SDW_OK) *ret = t;
    else sdw_clip_bpe_close(t);
    return status;
}

/* Adds DIR/NAME to out. A missing file is SDW_NOT_FOUND, told in err; the caller decides whether that matters. */
static sdw_status read_file(const char *dir, const char *name, sdw_buf *out, sdw_error *err)
{
    sdw_buf path;
    sdw_status status = SDW_OK;
    sdw_buf_init(&path, 0);
    sdw_buf_init(out, SDW_LIMIT_JSON_BYTES);
    FILE *f = sdw_buf_printf(&path, "%s/%s", dir, name) ? fopen(path.data, "rb") : NULL;
    if (path.failed) {
        status = sdw_fail_memory(err, name, strlen(dir));
    } else if (!f) {
        status = sdw_fail(err, errno == ENOENT ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path.data, strerror(errno));
    } else {
        char piece[16384];
        sdw_buf_puts(out, ""); /* an empty file is there, too; a missing one has no data */
        for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0 && sdw_buf_append(out, piece, n);) continue;
        if (ferror(f)) status = sdw_fail(err, SDW_IO, "%s: cannot read: %s", path.data, strerror(errno));
        else if (out->failed) status = sdw_fail(err, SDW_LIMIT, "%s: want at most %zu bytes and memory for them", path.data,
                                                SDW_LIMIT_JSON_BYTES);
        fclose(f);
    }
    sdw_buf_finish(&path);
    return status;
}

sdw_status sdw_clip_bpe_open_dir(const char *dir, sdw_clip_bpe **ret, sdw_error *err)
{
    static const char *const names[] = { "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json" };
    enum { VOCAB, MERGES, CONFIG, MAP, FILES };
    sdw_buf file[FILES] = { { 0 } };
    sdw_error unread = { 0 };
    sdw_status status = SDW_OK;
    for (int i = 0; i < FILES && status == SDW_OK; i++) {
        status = read_file(dir, names[i], &file[i], &unread);
        if (status == SDW_NOT_FOUND && i >= CONFIG) status = SDW_OK;
        else if (status != SDW_OK) sdw_fail(err, status, "%s", unread.text);
    }
    if (status == SDW_OK) {
        const sdw_clip_bpe_texts texts = {
            dir, file[VOCAB].data, file[MERGES].data, file[CONFIG].data, file[MAP].data,
            file[VOCAB].size, file[MERGES].size, file[CONFIG].size, file[MAP].size,
        };
        status = sdw_clip_bpe_open_texts(&texts, ret, err);
    }
    for (int i = 0; i < FILES; i++) sdw_buf_finish(&file[i]);
    return status;
}

sdw_status sdw_clip_bpe_open_builtin(int32_t pad_id, sdw_clip_bpe **ret, sdw_error *err)
{
    const settings none = { .what = "built-in vocabulary" };
    sdw_clip_bpe *t = sdw_calloc(1, sizeof *t);
    if (!t) return sdw_fail_memory(err, none.what, sizeof *t);
    sdw_status status = sdw_clip_vocab_builtin(&t->vocab, err);
    if (status == SDW_OK) status = read_specials(t, &none, err);
    if (status == SDW_OK && (pad_id < 0 || pad_id >= t->vocab.size))
        status = sdw_fail(err, SDW_INVALID, "built-in vocabulary: padding id %d, want 0..%d", pad_id, t->vocab.size - 1);
    if (status == SDW_OK) status = add_special(t, t->vocab.token[pad_id], pad_id, false, none.what, err);
    t->pad = pad_id;
    t->length = SDW_CLIP_LENGTH;
    if (status == SDW_OK) *ret = t;
    else sdw_clip_bpe_close(t);
    return status;
}
