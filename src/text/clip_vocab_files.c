/* clip_vocab_files.c - a vocabulary from vocab.json (token -> id) and merges.txt (two tokens a line, best first).
 *
 * merges.txt: a first line that holds "#version" is a heading; lines end in LF or CRLF; empty lines are passed over;
 * what follows SDW_LIMIT_MERGES merges is not read, as in the reference (CLIP's original list goes on to 262,144). */
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "text/clip_vocab.h"

static sdw_status highest_id(yyjson_val *root, const char *what, int32_t *ret, sdw_error *err)
{
    size_t i, n;
    yyjson_val *key, *value;
    uint64_t highest = 0;
    if (yyjson_obj_size(root) == 0) return sdw_fail(err, SDW_FORMAT, "%s: vocab.json has no tokens, want some", what);
    yyjson_obj_foreach(root, i, n, key, value) {
        const char *text = yyjson_get_str(key);
        if (strlen(text) != yyjson_get_len(key))
            return sdw_fail(err, SDW_FORMAT, "%s: a token of vocab.json has a zero byte inside, want none", what);
        if (!yyjson_is_uint(value) || yyjson_get_uint(value) >= SDW_LIMIT_VOCAB)
            return sdw_fail(err, SDW_FORMAT, "%s: token \"%.60s\" of vocab.json: want an id, an integer in 0..%d", what,
                            text, SDW_LIMIT_VOCAB - 1);
        if (yyjson_get_uint(value) > highest) highest = yyjson_get_uint(value);
    }
    *ret = (int32_t)highest;
    return SDW_OK;
}

static sdw_status add_tokens(sdw_clip_vocab *v, yyjson_val *root, const char *what, sdw_error *err)
{
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, i, n, key, value) {
        sdw_status status = sdw_clip_vocab_add(v, yyjson_get_str(key), (int32_t)yyjson_get_uint(value), what, err);
        if (status != SDW_OK) return status;
    }
    return SDW_OK;
}

/* A line without its end; *text moves behind it. */
static const char *next_line(const char **text, const char *end, size_t *ret_size)
{
    const char *line = *text, *stop = memchr(line, '\n', (size_t)(end - line));
    *text = stop ? stop + 1 : end;
    if (!stop) stop = end;
    while (stop > line && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\n')) stop--;
    *ret_size = (size_t)(stop - line);
    return line;
}

static bool is_heading(const char *line, size_t size)
{
    static const char mark[] = "#version";
    for (size_t i = 0; i + sizeof mark - 1 <= size; i++)
        if (memcmp(line + i, mark, sizeof mark - 1) == 0) return true;
    return false;
}

static sdw_status add_merge(sdw_clip_vocab *v, const char *line, size_t size, size_t number, const char *what,
                            sdw_error *err)
{
    const char *space = memchr(line, ' ', size);
    size_t left_size = space ? (size_t)(space - line) : 0, right_size = space ? size - left_size - 1 : 0;
    if (left_size == 0 || right_size == 0 || left_size + right_size > SDW_LIMIT_TOKEN_BYTES ||
        memchr(space + 1, ' ', right_size))
        return sdw_fail(err, SDW_FORMAT, "%s: merges.txt line %zu is \"%.*s\", want two tokens with a space between", what,
                        number, (int)(size < 60 ? size : 60), line);
    char joined[SDW_LIMIT_TOKEN_BYTES];
    memcpy(joined, line, left_size);
    memcpy(joined + left_size, space + 1, right_size);
    int32_t left = sdw_clip_vocab_find(v, line, left_size);
    int32_t right = sdw_clip_vocab_find(v, space + 1, right_size);
    int32_t id = sdw_clip_vocab_find(v, joined, left_size + right_size);
    if (left < 0 || right < 0 || id < 0)
        return sdw_fail(err, SDW_FORMAT, "%s: merges.txt line %zu: \"%.*s\" is not in vocab.json, want all three tokens of a merge",
                        what, number, (int)(left < 0 ? left_size : right < 0 ? right_size : left_size + right_size),
                        left < 0 ? line : right < 0 ? space + 1 : joined);
    sdw_clip_vocab_add_merge(v, left, right, id);
    return SDW_OK;
}

static int32_t count_lines(const char *text, size_t size)
{
    int32_t lines = 1;
    for (size_t i = 0; i < size && lines < SDW_LIMIT_MERGES; i++) lines += text[i] == '\n';
    return lines;
}

static sdw_status add_merges(sdw_clip_vocab *v, const char *text, size_t size, const char *what, sdw_error *err)
{
    const char *end = text + size;
    for (size_t number = 1; text < end && v->merge_count < SDW_LIMIT_MERGES; number++) {
        size_t length;
        const char *line = next_line(&text, end, &length);
        if (length == 0 || (number == 1 && is_heading(line, length))) continue;
        sdw_status status = add_merge(v, line, length, number, what, err);
        if (status != SDW_OK) return status;
    }
    return SDW_OK;
}

sdw_status sdw_clip_vocab_parse(const char *vocab, size_t vocab_size, const char *merges, size_t merges_size,
                                const char *what, sdw_clip_vocab *ret, sdw_error *err)
{
    const sdw_json_limits limits = { .depth_max = 2, .top = SDW_JSON_OBJECT };
    sdw_clip_vocab v = { 0 };
    yyjson_doc *doc = NULL;
    int32_t highest = 0;
    sdw_status status = sdw_json_parse(vocab, vocab_size, what, &limits, &doc, err);
    if (status != SDW_OK) return status;
    yyjson_val *root = yyjson_doc_get_root(doc);
    status = highest_id(root, what, &highest, err);
    if (status == SDW_OK) status = sdw_clip_vocab_init(&v, highest + 1, count_lines(merges, merges_size), err);
    if (status == SDW_OK) status = add_tokens(&v, root, what, err);
    yyjson_doc_free(doc);
    if (status == SDW_OK) status = add_merges(&v, merges, merges_size, what, err);
    if (status != SDW_OK) {
        sdw_clip_vocab_free(&v);
        return status;
    }
    sdw_clip_vocab_finish_bytes(&v);
    *ret = v;
    return SDW_OK;
}
