/* support.c - see support.h. */
#include "text/support.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <yyjson.h>

#include "text/clip_vocab.h"

#define FIRST_MERGE 512

static void put_token(sdw_buf *out, const char *token, int id, bool pretty)
{
    sdw_buf_puts(out, id == 0 ? "{" : ",");
    sdw_buf_puts(out, pretty ? "\n  \"" : "\"");
    for (const char *p = token; *p; p++) {
        if (*p == '"' || *p == '\\') sdw_buf_puts(out, "\\");
        sdw_buf_append(out, p, 1);
    }
    sdw_buf_printf(out, pretty ? "\": %d" : "\":%d", id);
}

static const sdw_clip_merge *merge_of_rank(const sdw_clip_vocab *v, const sdw_clip_merge **by_rank, int rank)
{
    if (!by_rank[0])
        for (uint32_t i = 0; i <= v->merges_mask; i++)
            if (v->merges[i].left >= 0) by_rank[v->merges[i].rank] = &v->merges[i];
    return by_rank[rank];
}

void text_files_make(text_files *ret, text_files_style style)
{
    static const sdw_clip_merge *by_rank[SDW_LIMIT_MERGES];
    sdw_clip_vocab v;
    const char *newline = style.crlf ? "\r\n" : "\n";
    int id = 0;
    assert_int_equal(sdw_clip_vocab_builtin(&v, NULL), SDW_OK);
    memset(by_rank, 0, sizeof by_rank);
    sdw_buf_init(&ret->vocab, 0);
    sdw_buf_init(&ret->merges, 0);
    for (; id < FIRST_MERGE + style.merge_count; id++) put_token(&ret->vocab, v.token[id], id, style.pretty);
    put_token(&ret->vocab, "<|startoftext|>", id++, style.pretty);
    put_token(&ret->vocab, "<|endoftext|>", id, style.pretty);
    sdw_buf_puts(&ret->vocab, style.pretty ? "\n}\n" : "}");
    if (!style.no_heading) sdw_buf_printf(&ret->merges, "#version: 0.2%s", newline);
    for (int k = 0; k < style.merge_count; k++) {
        const sdw_clip_merge *m = merge_of_rank(&v, by_rank, k);
        assert_non_null(m);
        sdw_buf_printf(&ret->merges, "%s %s%s", v.token[m->left], v.token[m->right], newline);
    }
    if (style.merge_count == 0) sdw_buf_puts(&ret->merges, "");
    assert_false(ret->vocab.failed || ret->merges.failed);
    sdw_clip_vocab_free(&v);
}

void text_files_free(text_files *f)
{
    sdw_buf_finish(&f->vocab);
    sdw_buf_finish(&f->merges);
}

sdw_clip_bpe *text_files_open(const text_files *f, const char *config, const char *map)
{
    const sdw_clip_bpe_texts texts = {
        .what = "test", .vocab = f->vocab.data, .vocab_size = f->vocab.size, .merges = f->merges.data,
        .merges_size = f->merges.size, .config = config, .config_size = config ? strlen(config) : 0, .map = map,
        .map_size = map ? strlen(map) : 0,
    };
    sdw_error err = { 0 };
    sdw_clip_bpe *t = NULL;
    if (sdw_clip_bpe_open_texts(&texts, &t, &err) != SDW_OK) fail_msg("%s", err.text);
    return t;
}

static size_t read_ids(yyjson_val *list, int *ret, size_t max)
{
    size_t i, n;
    yyjson_val *value;
    yyjson_arr_foreach(list, i, n, value) {
        assert_true(i < max);
        ret[i] = yyjson_get_int(value);
    }
    return yyjson_arr_size(list);
}

size_t text_rows_each(const char *path, text_row_fn check, void *ctx)
{
    static int ids[1024], padded[1024];
    size_t i, n, rows;
    yyjson_val *row;
    yyjson_doc *doc = yyjson_read_file(path, 0, NULL, NULL);
    if (!doc) fail_msg("%s: cannot be read", path);
    rows = yyjson_arr_size(yyjson_doc_get_root(doc));
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, row) {
        yyjson_val *list = yyjson_obj_get(row, "padded77");
        size_t count = read_ids(yyjson_obj_get(row, "ids"), ids, 1024);
        if (list) assert_int_equal(read_ids(list, padded, 1024), 77);
        yyjson_val *text = yyjson_obj_get(row, "text");
        check(ctx, yyjson_get_str(text), yyjson_get_len(text), ids, count, list ? padded : NULL);
    }
    yyjson_doc_free(doc);
    return rows;
}
