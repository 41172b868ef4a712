/* The CLIP tokenizer against the reference's ids, with the built-in vocabulary and with folders of every kind.
 * With SDW_ORACLE_DIR the whole of its clip_tokens.json is compared, in full and cut to 77. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "core/mem.h"
#include "text/prompt.h"
#include "text/support.h"

#define EOS 49407
#define CLIP_MERGES 48894

static sdw_clip_bpe *open_builtin(int32_t pad)
{
    sdw_clip_bpe *t = NULL;
    assert_int_equal(sdw_clip_bpe_open_builtin(pad, &t, NULL), SDW_OK);
    return t;
}

static void assert_ids(const sdw_clip_bpe *t, const char *text, size_t size, const int *want, size_t count)
{
    sdw_ids ids = { 0 };
    sdw_error err = { 0 };
    if (sdw_clip_bpe_encode(t, text, size, &ids, &err) != SDW_OK) fail_msg("%s: %s", text, err.text);
    if (ids.count != count) fail_msg("\"%s\": %zu ids, want %zu", text, ids.count, count);
    for (size_t i = 0; i < count; i++)
        if (ids.id[i] != want[i]) fail_msg("\"%s\": id %zu is %d, want %d", text, i, ids.id[i], want[i]);
    sdw_ids_finish(&ids);
}
#define ASSERT_IDS(t, text, ...) \
    assert_ids(t, text, strlen(text), (const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void check_row(void *ctx, const char *text, size_t size, const int *ids, size_t count, const int *padded)
{
    const sdw_clip_bpe *t = ctx;
    const sdw_prompt_options cut = { .truncate = true };
    sdw_prompt_ids p = { 0 };
    assert_ids(t, text, size, ids, count);
    if (!padded || strlen(text) != size) return; /* a prompt is a C string: no zero byte inside */
    assert_int_equal(sdw_prompt_encode(t, text, &cut, &p, NULL, NULL), SDW_OK);
    assert_int_equal(p.chunks, 1);
    assert_int_equal(p.length, 77);
    for (int i = 0; i < 77; i++) assert_int_equal(p.ids[i], padded[i]);
    sdw_prompt_ids_finish(&p);
}

static void reference_rows_match_the_built_in_vocabulary(void **state)
{
    (void)state;
    sdw_clip_bpe *t = open_builtin(EOS);
    assert_int_equal(text_rows_each(SDW_SOURCE_DIR "/tests/text/data/clip_tokens.json", check_row, t), 54);
    assert_int_equal(sdw_clip_bpe_bos(t), 49406);
    assert_int_equal(sdw_clip_bpe_eos(t), EOS);
    assert_int_equal(sdw_clip_bpe_max_id(t), EOS);
    assert_int_equal(sdw_clip_bpe_length(t), 77);
    sdw_clip_bpe_close(t);
}

static void files_in_every_style_give_what_the_built_in_gives(void **state)
{
    (void)state;
    static const text_files_style styles[] = {
        { .merge_count = CLIP_MERGES },
        { .merge_count = CLIP_MERGES, .crlf = true, .pretty = true },
        { .merge_count = CLIP_MERGES, .no_heading = true },
    };
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
        text_files f;
        text_files_make(&f, styles[i]);
        sdw_clip_bpe *t = text_files_open(&f, NULL, NULL);
        assert_int_equal(text_rows_each(SDW_SOURCE_DIR "/tests/text/data/clip_tokens.json", check_row, t), 54);
        assert_int_equal(sdw_clip_bpe_pad(t), EOS);
        sdw_clip_bpe_close(t);
        text_files_free(&f);
    }
}

/* The reference reads no more merges than CLIP has, so a list that goes on means the same. */
static void merges_beyond_clips_are_not_read(void **state)
{
    (void)state;
    text_files f;
    text_files_make(&f, (text_files_style){ .merge_count = CLIP_MERGES });
    sdw_buf_puts(&f.merges, "no-such-token another\n");
    sdw_clip_bpe *t = text_files_open(&f, NULL, NULL);
    ASSERT_IDS(t, "a photo", 320, 1125);
    sdw_clip_bpe_close(t);
    text_files_free(&f);
}

static void a_smaller_vocabulary_has_its_own_last_ids(void **state)
{
    (void)state;
    text_files f;
    text_files_make(&f, (text_files_style){ .merge_count = 8000 });
    sdw_clip_bpe *t = text_files_open(&f, "{\"model_max_length\": 64}", NULL);
    assert_int_equal(sdw_clip_bpe_bos(t), 8512);
    assert_int_equal(sdw_clip_bpe_eos(t), 8513);
    assert_int_equal(sdw_clip_bpe_max_id(t), 8513);
    assert_int_equal(sdw_clip_bpe_length(t), 64);
    ASSERT_IDS(t, "a photo of x<|endoftext|>", 320, 1125, 539, 343, 8513);
    sdw_ids ids = { 0 };
    sdw_buf text;
    sdw_buf_init(&text, 0);
    assert_int_equal(sdw_clip_bpe_encode(t, "masterpiece", 11, &ids, NULL), SDW_OK);
    assert_true(ids.count > 1); /* one token in the full vocabulary, made by a late merge */
    assert_int_equal(sdw_clip_bpe_decode(t, ids.id, ids.count, &text, NULL), SDW_OK);
    assert_string_equal(text.data, "masterpiece");
    sdw_buf_finish(&text);
    sdw_ids_finish(&ids);
    sdw_clip_bpe_close(t);
    text_files_free(&f);
}

#define OBJECT(text, normalized) "{\"content\": \"" text "\", \"normalized\": " normalized ", \"lstrip\": false}"

static void the_map_names_the_padding_unless_the_config_lists_its_tokens(void **state)
{
    (void)state;
    const char *map = "{\"eos_token\": " OBJECT("<|endoftext|>", "true") ", \"pad_token\": \"!\"}";
    text_files f;
    text_files_make(&f, (text_files_style){ .merge_count = 10 });
    sdw_clip_bpe *t = text_files_open(&f, "{\"pad_token\": \"<|endoftext|>\"}", map);
    assert_int_equal(sdw_clip_bpe_pad(t), 0);
    sdw_clip_bpe_close(t);
    t = text_files_open(&f, "{\"pad_token\": \"<|endoftext|>\", \"added_tokens_decoder\": {}}", map);
    assert_int_equal(sdw_clip_bpe_pad(t), 523);
    sdw_clip_bpe_close(t);
    t = text_files_open(&f, "{\"pad_token\": \"!\"}", NULL);
    assert_int_equal(sdw_clip_bpe_pad(t), 0);
    sdw_clip_bpe_close(t);
    text_files_free(&f);
}

/* 256 is "!" as a word of its own, 0 the bare "!" that pads. */
static void a_padding_exclamation_mark_is_special_in_the_text(void **state)
{
    (void)state;
    sdw_clip_bpe *l = open_builtin(EOS), *g = open_builtin(0);
    ASSERT_IDS(l, "a!", 320, 256);
    ASSERT_IDS(g, "a!", 320, 0);
    ASSERT_IDS(g, "a!!b", 320, 0, 0, 321);
    assert_int_equal(sdw_clip_bpe_pad(g), 0);
    sdw_clip_bpe_close(l);
    sdw_clip_bpe_close(g);
}

static void specials_are_found_as_their_files_say(void **state)
{
    (void)state;
    text_files f;
    text_files_make(&f, (text_files_style){ .merge_count = 0 });
    sdw_clip_bpe *t = text_files_open(&f, NULL, "{\"eos_token\": " OBJECT("<|endoftext|>", "true") "}");
    ASSERT_IDS(t, "x<|EndOfText|>y", 343, 513, 344); /* normalised first, so capitals do not matter */
    sdw_clip_bpe_close(t);
    t = text_files_open(&f, NULL, "{\"eos_token\": " OBJECT("<|endoftext|>", "false") "}");
    ASSERT_IDS(t, "x<|endoftext|>y", 343, 513, 344);
    sdw_ids ids = { 0 };
    assert_int_equal(sdw_clip_bpe_encode(t, "<|EndOfText|>", 13, &ids, NULL), SDW_OK);
    assert_int_equal(ids.count, 13);
    sdw_ids_finish(&ids);
    sdw_clip_bpe_close(t);
    /* A token of added_tokens_decoder alone brings its own id. */
    t = text_files_open(&f, "{\"added_tokens_decoder\": {\"600\": " OBJECT("<Cat>", "false") "}}", NULL);
    ASSERT_IDS(t, "x<Cat>", 343, 600);
    assert_int_equal(sdw_clip_bpe_max_id(t), 600);
    sdw_clip_bpe_close(t);
    text_files_free(&f);
}

/* "aa" merges at equal rank in two places of "aaab": the left one wins, so the odd letter is the third. */
static void equal_pairs_merge_from_the_left(void **state)
{
    (void)state;
    const char *vocab = "{\"a\": 0, \"b</w>\": 1, \"aa\": 2, \"<|startoftext|>\": 3, \"<|endoftext|>\": 4}";
    const sdw_clip_bpe_texts texts = {
        .what = "test", .vocab = vocab, .vocab_size = strlen(vocab), .merges = "a a\n", .merges_size = 4,
    };
    sdw_clip_bpe *t = NULL;
    assert_int_equal(sdw_clip_bpe_open_texts(&texts, &t, NULL), SDW_OK);
    ASSERT_IDS(t, "aaab", 2, 0, 1);
    ASSERT_IDS(t, "aaaaab", 2, 2, 0, 1);
    ASSERT_IDS(t, "axb", 0, 4, 1); /* a byte that the vocabulary lacks is unknown: the end token */
    sdw_clip_bpe_close(t);
}

static void ids_become_text_again(void **state)
{
    (void)state;
    sdw_clip_bpe *t = open_builtin(EOS);
    const char *text = "a caf\xc3\xa9, \xe6\x9d\xb1\xe4\xba\xac !";
    sdw_ids ids = { 0 };
    sdw_buf out;
    sdw_buf_init(&out, 0);
    assert_int_equal(sdw_clip_bpe_encode(t, text, strlen(text), &ids, NULL), SDW_OK);
    assert_int_equal(sdw_clip_bpe_decode(t, ids.id, ids.count, &out, NULL), SDW_OK);
    assert_string_equal(out.data, "a caf\xc3\xa9 , \xe6\x9d\xb1\xe4\xba\xac !");
    sdw_buf_finish(&out);
    sdw_buf_init(&out, 0);
    assert_int_equal(sdw_clip_bpe_decode(t, (int32_t[]){ 188 + 90 }, 1, &out, NULL), SDW_OK);
    sdw_buf_finish(&out);
    sdw_error err = { 0 };
    assert_int_equal(sdw_clip_bpe_decode(t, (int32_t[]){ 49408 }, 1, &out, &err), SDW_INVALID);
    assert_string_equal(err.text, "token id 49408: want an id of the vocabulary, 0..49407");
    sdw_ids_finish(&ids);
    sdw_clip_bpe_close(t);
}

static void bad_texts_are_refused_and_leave_the_ids_alone(void **state)
{
    (void)state;
    sdw_clip_bpe *t = open_builtin(EOS);
    sdw_error err = { 0 };
    sdw_ids ids = { 0 };
    char *big = calloc(SDW_LIMIT_PROMPT_BYTES + 2, 1);
    assert_non_null(big);
    memset(big, 'a', SDW_LIMIT_PROMPT_BYTES + 1);
    assert_int_equal(sdw_clip_bpe_encode(t, "a b", 3, &ids, &err), SDW_OK);
    assert_int_equal(sdw_clip_bpe_encode(t, "a \xfe", 3, &ids, &err), SDW_INVALID);
    assert_non_null(strstr(err.text, "byte 2 is 0xfe"));
    assert_int_equal(sdw_clip_bpe_encode(t, big, SDW_LIMIT_PROMPT_BYTES + 1, &ids, &err), SDW_LIMIT);
    assert_string_equal(err.text, "prompt: 128001 bytes, want at most 128000");
    assert_int_equal(ids.count, 2);
    free(big);
    sdw_ids_finish(&ids);
    sdw_clip_bpe_close(t);
}

/* Best of three: the first run pays for fresh memory. Quadratic merging of the first row takes several seconds. */
static void the_longest_prompts_take_time_in_proportion(void **state)
{
    (void)state;
    static const char *const parts[] = { "x", "ab", "!", "('", "a b ", "\xcc\x81\xcc\xa3", "<|endoftext|", "\xf0\x9f\x98\x80" };
    sdw_clip_bpe *t = open_builtin(0);
    char *text = malloc(SDW_LIMIT_PROMPT_BYTES);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t part = strlen(parts[i]), size = 0;
        double best = 1e9;
        for (; size + part <= SDW_LIMIT_PROMPT_BYTES; size += part) memcpy(text + size, parts[i], part);
        for (int run = 0; run < 3; run++) {
            sdw_ids ids = { 0 };
            clock_t start = clock();
            assert_int_equal(sdw_clip_bpe_encode(t, text, size, &ids, NULL), SDW_OK);
            double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
            if (seconds < best) best = seconds;
            sdw_ids_finish(&ids);
        }
        if (best > 0.5) fail_msg("64 KiB of \"%s\" take %g s, at most 0.5 allowed", parts[i], best);
    }
    free(text);
    sdw_clip_bpe_close(t);
}

static void damaged_files_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *vocab, *merges, *config, *map, *want;
    } rows[] = {
        { "[1]", "", NULL, NULL, "test" },
        { "{}", "", NULL, NULL, "test: vocab.json has no tokens" },
        { "{\"a\": -1}", "", NULL, NULL, "token \"a\" of vocab.json: want an id" },
        { "{\"a\": 1048576}", "", NULL, NULL, "want an id, an integer in 0..1048575" },
        { "{\"a\": \"0\"}", "", NULL, NULL, "want an id" },
        { "{\"\": 0}", "", NULL, NULL, "token 0 has 0 bytes, want 1..512" },
        { "{\"a\\u0000b\": 0}", "", NULL, NULL, "zero byte" },
        { "{\"a\": 0, \"b\": 0}", "", NULL, NULL, "id 0 is both \"a\" and \"b\"" },
        { "{\"a\": 0, \"b\": 1}", "", NULL, NULL, "no file names a bos_token and vocab.json lacks \"<|startoftext|>\"" },
        { "{\"a\": 0, \"b\": 1, \"ab\": 2}", "ab\n", NULL, NULL, "merges.txt line 1 is \"ab\", want two tokens" },
        { "{\"a\": 0, \"b\": 1, \"ab\": 2}", "#version: 1\na b\na  b\n", NULL, NULL, "line 3 is \"a  b\"" },
        { "{\"a\": 0, \"b\": 1, \"ab\": 2}", "a b c\n", NULL, NULL, "line 1 is \"a b c\"" },
        { "{\"a\": 0, \"b\": 1, \"ab\": 2}", "a b\nb a\n", NULL, NULL, "line 2: \"ba\" is not in vocab.json" },
        { "{\"a\": 0, \"b\": 1}", "x b\n", NULL, NULL, "line 1: \"x\" is not in vocab.json" },
        { "{\"a\": 0}", "", "{\"bos_token\": \"a\", \"eos_token\": 5}", NULL, "test: eos_token: want a token's text" },
        { "{\"a\": 0}", "", NULL, "{\"bos_token\": \"b\"}", "bos_token \"b\" is not in vocab.json" },
        { "{\"a\": 0}", "", "{\"bos_token\": \"a\", ", NULL, "tokenizer_config.json" },
        { "{\"a\": 0}", "", NULL, "[]", "special_tokens_map.json" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sdw_clip_bpe_texts texts = {
            "test", rows[i].vocab, rows[i].merges, rows[i].config, rows[i].map, strlen(rows[i].vocab),
            strlen(rows[i].merges), rows[i].config ? strlen(rows[i].config) : 0, rows[i].map ? strlen(rows[i].map) : 0,
        };
        sdw_error err = { 0 };
        sdw_clip_bpe *t = NULL;
        assert_int_equal(sdw_clip_bpe_open_texts(&texts, &t, &err), SDW_FORMAT);
        if (!strstr(err.text, rows[i].want)) fail_msg("row %zu: \"%s\" lacks \"%s\"", i, err.text, rows[i].want);
        assert_null(t);
    }
}

static void a_folder_without_the_two_files_is_not_found(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    sdw_clip_bpe *t = NULL;
    assert_int_equal(sdw_clip_bpe_open_dir("/nonexistent", &t, &err), SDW_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/vocab.json"));
    assert_int_equal(sdw_clip_bpe_open_builtin(49408, &t, &err), SDW_INVALID);
    assert_string_equal(err.text, "built-in vocabulary: padding id 49408, want 0..49407");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    text_files f;
    text_files_make(&f, (text_files_style){ .merge_count = 40 });
    const sdw_clip_bpe_texts texts = {
        .what = "test", .vocab = f.vocab.data, .vocab_size = f.vocab.size, .merges = f.merges.data,
        .merges_size = f.merges.size, .config = "{}", .config_size = 2,
    };
    for (size_t nth = 1;; nth++) {
        sdw_clip_bpe *t = NULL;
        sdw_ids ids = { 0 };
        assert_true(nth < 10000);
        sdw_mem_fail_at(nth, true);
        sdw_status status = sdw_clip_bpe_open_texts(&texts, &t, NULL);
        if (status == SDW_OK) status = sdw_clip_bpe_encode(t, "the other one<|endoftext|> and the rest", 39, &ids, NULL);
        sdw_mem_fail_at(0, false);
        sdw_ids_finish(&ids);
        sdw_clip_bpe_close(t);
        if (status == SDW_OK) break;
        assert_int_equal(status, SDW_NO_MEMORY);
    }
    text_files_free(&f);
}

static void every_reference_row_matches_folder_and_built_in(void **state)
{
    (void)state;
    const char *dir = getenv("SDW_ORACLE_DIR");
    if (!dir) {
        print_message("SDW_ORACLE_DIR is not set: the full token list was skipped\n");
        skip();
    }
    char rows[4096], folder[4096];
    sdw_clip_bpe *from_files = NULL, *builtin = open_builtin(EOS);
    snprintf(rows, sizeof rows, "%s/clip_tokens.json", dir);
    snprintf(folder, sizeof folder, "%s/sd15/tokenizer", dir);
    assert_int_equal(sdw_clip_bpe_open_dir(folder, &from_files, NULL), SDW_OK);
    assert_true(text_rows_each(rows, check_row, from_files) > 0);
    assert_true(text_rows_each(rows, check_row, builtin) > 0);
    sdw_clip_bpe_close(from_files);
    sdw_clip_bpe_close(builtin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_rows_match_the_built_in_vocabulary),
        cmocka_unit_test(files_in_every_style_give_what_the_built_in_gives),
        cmocka_unit_test(merges_beyond_clips_are_not_read),
        cmocka_unit_test(a_smaller_vocabulary_has_its_own_last_ids),
        cmocka_unit_test(the_map_names_the_padding_unless_the_config_lists_its_tokens),
        cmocka_unit_test(a_padding_exclamation_mark_is_special_in_the_text),
        cmocka_unit_test(specials_are_found_as_their_files_say),
        cmocka_unit_test(equal_pairs_merge_from_the_left),
        cmocka_unit_test(ids_become_text_again),
        cmocka_unit_test(bad_texts_are_refused_and_leave_the_ids_alone),
        cmocka_unit_test(the_longest_prompts_take_time_in_proportion),
        cmocka_unit_test(damaged_files_are_refused_with_the_reason),
        cmocka_unit_test(a_folder_without_the_two_files_is_not_found),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_reference_row_matches_folder_and_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
