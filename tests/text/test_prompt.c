/* Prompt syntax and chunks: brackets and weights as A1111 reads them, chunks of 75, truncation. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "core/mem.h"
#include "text/attention.h"
#include "text/prompt.h"

#define BOS 49406
#define EOS 49407
#define CAT 2368   /* "cat" as a word */
#define COMMA 267  /* "," as a word */

static const sdw_prompt_options weighted = { .weighted = true };

/* Segments as text: "a |b*1.1|BREAK|c". */
static void show(const sdw_segments *s, char *ret, size_t size)
{
    size_t at = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < s->count && at < size; i++) {
        const sdw_segment *g = &s->segment[i];
        at += (size_t)snprintf(ret + at, size - at, "%s%.*s", i ? "|" : "", (int)g->size, s->text + g->at);
        if (g->is_break && at < size) at += (size_t)snprintf(ret + at, size - at, "BREAK");
        if (g->weight != 1 && at < size) at += (size_t)snprintf(ret + at, size - at, "*%.10g", g->weight);
    }
}

static void brackets_and_weights_are_read_as_a1111_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *prompt, *want;
    } rows[] = {
        { "", "" },
        { "a red barn", "a red barn" },
        { "a (red) barn", "a |red*1.1| barn" },
        { "a [red] barn", "a |red*0.9090909091| barn" },
        { "(red:1.25)barn", "red*1.25|barn" },
        { "( red : 0.5 )", " red *0.5" },
        { "(red:-1)(blue:+.5)(green:2.)", "red*-1|blue*0.5|green*2" },
        { "((x))[[y]]", "x*1.21|y*0.826446281" },
        { "(a (b:2) c:0.5)", "a *0.5|b| c*0.5" },
        { "(a)(b)", "ab*1.1" },                         /* equal weights are one text */
        { "(x:1)y", "xy" },
        { "(open to the end", "open to the end*1.1" },
        { "[open (twice", "open *0.9090909091|twice" }, /* 1.1/1.1, exactly 1 */
        { "too many) closed]", "too many) closed]" },
        { "a:1.2) b", "a:1.2) b" },                     /* no bracket to close: all of it is text */
        { "\\(x\\) \\[y\\] \\\\", "(x) [y] \\" },
        { "w\\ords\\", "words" },                       /* a lone backslash vanishes */
        { "(a\\:1.5)", "a*1.5" },                       /* a colon cannot be escaped */
        { "a BREAK b", "a |BREAK| b" },
        { "aBREAK BREAKb BREAK_ \xc3\xa9" "BREAK", "aBREAK BREAKb BREAK_ \xc3\xa9" "BREAK" },
        { "BREAK", "BREAK" },
        { "(a BREAK b:2)", "a *2|BREAK| b*2" },
        { "BREAKBREAK", "BREAKBREAK" },
        { "(a:.)", "a:.*1.1" },
        { "(a:..)", "a:..*1.1" },
        { "(a:1.2.3)", "a:1.2.3*1.1" },
        { "(a:1e999)", "a:1e999*1.1" },
        { "(a:nan)(b:inf)(c:0x10)", "a:nanb:infc:0x10*1.1" },
        { "(a:)", "a:*1.1" },
        { "(a:+-1)", "a:+-1*1.1" },
        { "[a:1.5]", "a:1.5*0.9090909091" },            /* square brackets take no number */
        { "[a:1.5)", "a:1.5)*0.9090909091" },
        { "(:2)x", "x" },
        { "(a:0)", "a*0" },
        { "(a:0.333333333333333333333333333)", "a*0.3333333333" },
        { "(a:000000000000000000000000000001)", "a" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_segments s = { 0 };
        char text[256];
        assert_int_equal(sdw_attention_parse(rows[i].prompt, strlen(rows[i].prompt), "prompt", &s, NULL), SDW_OK);
        show(&s, text, sizeof text);
        if (strcmp(text, rows[i].want) != 0) fail_msg("%s: \"%s\", want \"%s\"", rows[i].prompt, text, rows[i].want);
        sdw_segments_finish(&s);
    }
}

static sdw_status parse_only(const char *prompt, sdw_error *err)
{
    sdw_segments s = { 0 };
    sdw_status status = sdw_attention_parse(prompt, strlen(prompt), "prompt", &s, err);
    sdw_segments_finish(&s);
    return status;
}

static void depth_and_size_of_weights_have_limits(void **state)
{
    (void)state;
    char deep[300];
    sdw_error err = { 0 };
    memset(deep, '(', sizeof deep);
    deep[SDW_LIMIT_PROMPT_DEPTH] = '\0';
    assert_int_equal(parse_only(deep, &err), SDW_OK);
    deep[SDW_LIMIT_PROMPT_DEPTH] = '(';
    deep[SDW_LIMIT_PROMPT_DEPTH + 1] = '\0';
    assert_int_equal(parse_only(deep, &err), SDW_LIMIT);
    assert_string_equal(err.text, "prompt: brackets nest deeper than 128 at byte 128, want at most so deep");
    assert_int_equal(parse_only("(x:1000000)", &err), SDW_OK);
    assert_int_equal(parse_only("(x:1000001)", &err), SDW_INVALID);
    assert_string_equal(err.text, "prompt: weight 1e+06 of the text before byte 11, want at most 1e+06");
    assert_int_equal(parse_only("((x:2000):-2000)", &err), SDW_INVALID);
    memset(deep, '9', 299);
    memcpy(deep, "(x:", 3);
    deep[298] = ')';
    deep[299] = '\0';
    assert_int_equal(parse_only(deep, &err), SDW_INVALID);
}

typedef struct fixture {
    sdw_clip_bpe *l, *g; /* padded with EOS and with "!" */
} fixture;

static int open_tokenizers(void **state)
{
    static fixture f;
    *state = &f;
    return sdw_clip_bpe_open_builtin(EOS, &f.l, NULL) != SDW_OK || sdw_clip_bpe_open_builtin(0, &f.g, NULL) != SDW_OK;
}

static int close_tokenizers(void **state)
{
    const fixture *f = *state;
    sdw_clip_bpe_close(f->l);
    sdw_clip_bpe_close(f->g);
    return 0;
}

static sdw_prompt_ids encode(const sdw_clip_bpe *t, const char *prompt, const sdw_prompt_options *options)
{
    sdw_prompt_ids p = { 0 };
    sdw_error err = { 0 };
    if (sdw_prompt_encode(t, prompt, options, &p, NULL, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(p.length, 77);
    return p;
}

/* BOS, `count` tokens given by id(i), EOS, padding; first EOS where it belongs. */
static void assert_chunk(const sdw_prompt_ids *p, int chunk, const int *want, int count, int pad)
{
    const int32_t *ids = p->ids + 77 * chunk;
    assert_int_equal(ids[0], BOS);
    for (int i = 0; i < count; i++)
        if (ids[1 + i] != want[i]) fail_msg("chunk %d token %d is %d, want %d", chunk, i, ids[1 + i], want[i]);
    assert_int_equal(ids[1 + count], EOS);
    for (int i = count + 2; i < 77; i++) assert_int_equal(ids[i], pad);
    assert_int_equal(p->eos[chunk], 1 + count);
}

static void repeat(char *to, const char *part, int count)
{
    for (to += strlen(to); count > 0; count--) to = strcpy(to, part) + strlen(part);
}

static void an_empty_prompt_is_one_chunk(void **state)
{
    const fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        sdw_prompt_ids p = encode(i & 1 ? f->g : f->l, i & 2 ? " " : "", i & 2 ? &weighted : NULL);
        assert_int_equal(p.chunks, 1);
        assert_chunk(&p, 0, NULL, 0, i & 1 ? 0 : EOS);
        assert_false(p.any_weight);
        for (int k = 0; k < 77; k++) assert_true(p.weights[k] == 1);
        sdw_prompt_ids_finish(&p);
    }
}

static void a_plain_prompt_is_text_to_the_last_bracket(void **state)
{
    const fixture *f = *state;
    const int want[] = { 263, CAT, 281, 272, 269, 273, 264, 2568, 320 };
    sdw_prompt_ids p = encode(f->l, "(cat:1.2) BREAK a", NULL);
    assert_chunk(&p, 0, want, 9, EOS);
    assert_false(p.any_weight);
    sdw_prompt_ids_finish(&p);
}

static void chunks_hold_75_tokens(void **state)
{
    const fixture *f = *state;
    int cats[75];
    for (int i = 0; i < 75; i++) cats[i] = CAT;
    for (int count = 74; count <= 151; count++) {
        char prompt[1024] = "";
        repeat(prompt, "cat ", count);
        sdw_prompt_ids p = encode(f->g, prompt, count & 1 ? &weighted : NULL);
        assert_int_equal(p.chunks, (count + 74) / 75);
        for (int c = 0; c < p.chunks; c++) assert_chunk(&p, c, cats, c < p.chunks - 1 ? 75 : count - 75 * c, 0);
        sdw_prompt_ids_finish(&p);
    }
}

static void weights_stand_beside_their_tokens(void **state)
{
    const fixture *f = *state;
    sdw_prompt_ids p = encode(f->l, "cat (cat cat:1.5) [cat]", &weighted);
    const float want[] = { 1, 1, 1.5f, 1.5f, (float)(1 / 1.1), 1, 1 };
    for (int i = 0; i < 7; i++) assert_true(p.weights[i] == want[i]);
    assert_true(p.any_weight);
    sdw_prompt_ids_finish(&p);
    p = encode(f->l, "it\\(s (x:1)", &weighted); /* one text for the tokenizer, nothing weighs */
    const int ids[] = { 585, 263, 338, 343 };
    assert_chunk(&p, 0, ids, 4, EOS);
    assert_false(p.any_weight);
    sdw_prompt_ids_finish(&p);
}

static void break_fills_the_chunk(void **state)
{
    const fixture *f = *state;
    const int cat = CAT;
    sdw_prompt_ids p = encode(f->g, "cat BREAK cat BREAK BREAK cat BREAK", &weighted);
    assert_int_equal(p.chunks, 4);
    for (int c = 0; c < 4; c++) assert_chunk(&p, c, &cat, c == 2 ? 0 : 1, 0);
    sdw_prompt_ids_finish(&p);
}

/* 60 cats, a comma, 20 more words: the chunk is full 15 words behind the comma, which move on together. */
static void a_full_weighted_chunk_ends_at_its_last_comma(void **state)
{
    const fixture *f = *state;
    const sdw_prompt_options off = { .weighted = true, .comma_off = true };
    char prompt[1024] = "";
    int first[75], second[75];
    repeat(prompt, "cat ", 60);
    repeat(prompt, ",(", 1);
    repeat(prompt, "cat ", 20);
    for (int i = 0; i < 75; i++) first[i] = second[i] = CAT;
    first[60] = COMMA;
    sdw_prompt_ids p = encode(f->g, prompt, &weighted);
    assert_int_equal(p.chunks, 2);
    assert_chunk(&p, 0, first, 61, 0);
    assert_chunk(&p, 1, second, 20, 0);
    for (int i = 0; i < 77; i++) assert_true(p.weights[i] == 1);
    for (int i = 0; i < 77; i++) assert_true(p.weights[77 + i] == (i >= 1 && i <= 20 ? 1.1f : 1));
    sdw_prompt_ids_finish(&p);
    for (int i = 0; i < 2; i++) {
        prompt[4 * 60 + 1] = i ? ' ' : '('; /* plain, and weighted without the rule: 75 and 6 */
        p = encode(f->g, prompt, i ? NULL : &off);
        assert_chunk(&p, 0, first, 75, 0);
        assert_chunk(&p, 1, second, 6, 0);
        sdw_prompt_ids_finish(&p);
    }
}

/* The comma reaches back over at most 20 tokens, itself counted; one that overflows a chunk itself splits nothing. */
static void a_comma_too_far_back_splits_nothing(void **state)
{
    const fixture *f = *state;
    for (int place = 53; place <= 75; place++) {
        char prompt[1024] = "";
        repeat(prompt, "cat ", place);
        repeat(prompt, ",", 1);
        repeat(prompt, "cat ", 80 - place);
        sdw_prompt_ids p = encode(f->l, prompt, &weighted);
        int kept = place >= 55 && place <= 74 ? place + 1 : 75;
        assert_int_equal(p.chunks, 2);
        assert_int_equal(p.eos[0], kept + 1);
        assert_int_equal(p.eos[1], 81 - kept + 1);
        sdw_prompt_ids_finish(&p);
    }
}

static void truncation_keeps_one_chunk_and_says_what_went(void **state)
{
    const fixture *f = *state;
    const sdw_prompt_options plain = { .truncate = true }, other = { .what = "negative_prompt", .weighted = true, .truncate = true };
    char prompt[1024] = "";
    sdw_warnings w = { 0 };
    sdw_prompt_ids p = { 0 };
    repeat(prompt, "cat ", 75);
    assert_int_equal(sdw_prompt_encode(f->l, prompt, &plain, &p, &w, NULL), SDW_OK);
    assert_int_equal(w.count, 0);
    sdw_prompt_ids_finish(&p);
    repeat(prompt, "on a Sofa", 1);
    assert_int_equal(sdw_prompt_encode(f->l, prompt, &plain, &p, &w, NULL), SDW_OK);
    assert_int_equal(p.chunks, 1);
    assert_int_equal(p.eos[0], 76);
    assert_int_equal(w.count, 1);
    assert_string_equal(w.text[0], "prompt: the last 3 of 78 tokens do not fit in 77 and are cut: \"on a sofa\"");
    sdw_prompt_ids_finish(&p);
    assert_int_equal(sdw_prompt_encode(f->l, "cat BREAK a (dog)", &other, &p, &w, NULL), SDW_OK);
    assert_int_equal(p.chunks, 1);
    assert_chunk(&p, 0, (const int[]){ CAT }, 1, EOS);
    assert_string_equal(w.text[1], "negative_prompt: the last 2 of 3 tokens do not fit in 77 and are cut: \"a dog\"");
    sdw_prompt_ids_finish(&p);
    prompt[0] = '\0';
    repeat(prompt, "\xe6\x9d\xb1", 300);
    assert_int_equal(sdw_prompt_encode(f->l, prompt, &plain, &p, &w, NULL), SDW_OK);
    size_t size = strlen(w.text[2]);
    assert_string_equal(w.text[2] + size - 7, "\xe6\x9d\xb1...\"");
    sdw_prompt_ids_finish(&p);
    sdw_warnings_finish(&w);
}

static void an_end_token_in_the_text_is_the_first_end(void **state)
{
    const fixture *f = *state;
    sdw_prompt_ids p = encode(f->l, "cat <|endoftext|> cat", NULL);
    assert_int_equal(p.eos[0], 2);
    assert_int_equal(p.ids[3], CAT);
    assert_int_equal(p.ids[4], EOS);
    sdw_prompt_ids_finish(&p);
}

static void a_shorter_prompt_is_extended_by_empty_chunks(void **state)
{
    const fixture *f = *state;
    sdw_prompt_ids p = encode(f->g, "(cat)", &weighted);
    assert_int_equal(sdw_prompt_ids_extend(&p, f->g, 3, NULL), SDW_OK);
    assert_int_equal(p.chunks, 3);
    assert_chunk(&p, 0, (const int[]){ CAT }, 1, 0);
    assert_chunk(&p, 1, NULL, 0, 0);
    assert_chunk(&p, 2, NULL, 0, 0);
    for (int i = 77; i < 231; i++) assert_true(p.weights[i] == 1);
    assert_int_equal(sdw_prompt_ids_extend(&p, f->g, 1, NULL), SDW_OK);
    assert_int_equal(p.chunks, 3);
    sdw_prompt_ids_finish(&p);
}

static void bad_prompts_name_their_field(void **state)
{
    const fixture *f = *state;
    const sdw_prompt_options negative = { .what = "negative_prompt", .weighted = true };
    sdw_error err = { 0 };
    sdw_prompt_ids p = { 0 };
    char *big = malloc(SDW_LIMIT_PROMPT_BYTES + 2);
    assert_non_null(big);
    memset(big, 'a', SDW_LIMIT_PROMPT_BYTES + 1);
    big[SDW_LIMIT_PROMPT_BYTES + 1] = '\0';
    assert_int_equal(sdw_prompt_encode(f->l, big, NULL, &p, NULL, &err), SDW_LIMIT);
    assert_string_equal(err.field, "prompt");
    assert_string_equal(err.text, "prompt: 128001 bytes, want at most 128000");
    assert_int_equal(sdw_prompt_encode(f->l, "cat\x80", &negative, &p, NULL, &err), SDW_INVALID);
    assert_string_equal(err.field, "negative_prompt");
    assert_string_equal(err.text, "negative_prompt: byte 3 is 0x80, want well-formed UTF-8");
    big[0] = '\0';
    repeat(big, "BREAK ", 2049);
    assert_int_equal(sdw_prompt_encode(f->l, big, &negative, &p, NULL, &err), SDW_LIMIT);
    assert_string_equal(err.text, "negative_prompt: more than 2048 chunks, want at most so many");
    big[6 * 2048] = '\0';
    assert_int_equal(sdw_prompt_encode(f->l, big, &negative, &p, NULL, &err), SDW_OK);
    assert_int_equal(p.chunks, 2048);
    sdw_prompt_ids_finish(&p);
    free(big);
}

/* Best of three; each text is as long as a prompt may be. */
static void the_longest_weighted_prompts_take_time_in_proportion(void **state)
{
    const fixture *f = *state;
    static const char *const parts[] = { "(x:1.1)", "()", "(a:.)", "\\(", ")", "[x](", "a:", ":1", "B", "BREAKS ", ": " };
    char *prompt = malloc(SDW_LIMIT_PROMPT_BYTES + 1);
    assert_non_null(prompt);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        double best = 1e9;
        prompt[0] = '\0';
        repeat(prompt, parts[i], (int)(SDW_LIMIT_PROMPT_BYTES / strlen(parts[i])));
        for (int run = 0; run < 3; run++) {
            sdw_prompt_ids p = { 0 };
            clock_t start = clock();
            sdw_status status = sdw_prompt_encode(f->l, prompt, &weighted, &p, NULL, NULL);
            double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
            assert_int_equal(status, strcmp(parts[i], "[x](") == 0 ? SDW_LIMIT : SDW_OK);
            if (seconds < best) best = seconds;
            sdw_prompt_ids_finish(&p);
        }
        if (best > 1.0) fail_msg("the longest prompt of \"%s\" take %g s, at most 1 allowed", parts[i], best);
    }
    free(prompt);
}

static void every_allocation_may_fail(void **state)
{
    const fixture *f = *state;
    char prompt[1024] = "";
    repeat(prompt, "(cat:2), ", 90);
    for (size_t nth = 1;; nth++) {
        sdw_prompt_ids p = { 0 };
        assert_true(nth < 10000);
        sdw_mem_fail_at(nth, true);
        sdw_status status = sdw_prompt_encode(f->l, prompt, &weighted, &p, NULL, NULL);
        if (status == SDW_OK) status = sdw_prompt_ids_extend(&p, f->l, 9, NULL);
        sdw_mem_fail_at(0, false);
        sdw_prompt_ids_finish(&p);
        if (status == SDW_OK) break;
        assert_int_equal(status, SDW_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_and_weights_are_read_as_a1111_reads_them),
        cmocka_unit_test(depth_and_size_of_weights_have_limits),
        cmocka_unit_test(an_empty_prompt_is_one_chunk),
        cmocka_unit_test(a_plain_prompt_is_text_to_the_last_bracket),
        cmocka_unit_test(chunks_hold_75_tokens),
        cmocka_unit_test(weights_stand_beside_their_tokens),
        cmocka_unit_test(break_fills_the_chunk),
        cmocka_unit_test(a_full_weighted_chunk_ends_at_its_last_comma),
        cmocka_unit_test(a_comma_too_far_back_splits_nothing),
        cmocka_unit_test(truncation_keeps_one_chunk_and_says_what_went),
        cmocka_unit_test(an_end_token_in_the_text_is_the_first_end),
        cmocka_unit_test(a_shorter_prompt_is_extended_by_empty_chunks),
        cmocka_unit_test(bad_prompts_name_their_field),
        cmocka_unit_test(the_longest_weighted_prompts_take_time_in_proportion),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, open_tokenizers, close_tokenizers);
}
