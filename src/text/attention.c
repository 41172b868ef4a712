/* attention.c - brackets and weights of a prompt.
 * Each piece of text becomes a segment as it comes; a closing bracket multiplies the segments since its opening one.
 * A segment is touched once per bracket around it, and the depth is limited, so the work stays linear. */
#include "text/attention.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "text/unicode.h"

#define ROUND 1.1
#define SQUARE (1 / 1.1)
#define EXACT_DIGITS 15 /* so many decimal digits are exact in a double, and so is 10^15 */

typedef struct stack {
    size_t from[SDW_LIMIT_PROMPT_DEPTH]; /* first segment inside each open bracket */
    int depth;
} stack;

typedef struct parser {
    const char *in, *what;
    size_t size, at;
    sdw_segments out;
    size_t text_size;
    stack round, square;
    sdw_error *err;
} parser;

static sdw_status add_segment(parser *p, sdw_segment segment)
{
    sdw_segments *o = &p->out;
    if (o->count == o->capacity) {
        size_t capacity = o->capacity ? 2 * o->capacity : 16;
        sdw_segment *grown = sdw_realloc(o->segment, capacity * sizeof *grown);
        if (!grown) return sdw_fail_memory(p->err, p->what, capacity * sizeof *grown);
        o->segment = grown;
        o->capacity = capacity;
    }
    o->segment[o->count++] = segment;
    return SDW_OK;
}

static sdw_status add_text(parser *p, const char *text, size_t size)
{
    if (size == 0) return SDW_OK;
    size_t at = p->text_size;
    memcpy(p->out.text + at, text, size);
    p->text_size += size;
    return add_segment(p, (sdw_segment){ .at = at, .size = size, .weight = 1 });
}

static sdw_status open_bracket(parser *p, stack *s)
{
    if (s->depth == SDW_LIMIT_PROMPT_DEPTH)
        return sdw_fail(p->err, SDW_LIMIT, "%s: brackets nest deeper than %d at byte %zu, want at most so deep", p->what,
                        SDW_LIMIT_PROMPT_DEPTH, p->at);
    s->from[s->depth++] = p->out.count;
    p->at++;
    return SDW_OK;
}

static sdw_status close_bracket(parser *p, stack *s, double factor)
{
    for (size_t i = s->from[--s->depth]; i < p->out.count; i++) {
        sdw_segment *g = &p->out.segment[i];
        if (g->is_break) continue;
        g->weight *= factor;
        if (fabs(g->weight) > SDW_LIMIT_PROMPT_WEIGHT)
            return sdw_fail(p->err, SDW_INVALID, "%s: weight %g of the text before byte %zu, want at most %g", p->what,
                            g->weight, p->at, SDW_LIMIT_PROMPT_WEIGHT);
    }
    return SDW_OK;
}

static size_t skip_space(const parser *p, size_t at)
{
    for (size_t next = at; next < p->size; at = next)
        if (sdw_char_class_of(sdw_utf8_next(p->in, p->size, &next)) != SDW_CHAR_SPACE) break;
    return at;
}

/* Digits with at most one dot among them, without help of the locale. False if that is not what stands there. */
static bool read_decimal(const char *s, size_t size, double *ret)
{
    double value = 0, scale = 1;
    int digits = 0, significant = 0, dots = 0;
    for (size_t i = 0; i < size; i++) {
        if (s[i] == '.') {
            dots++;
            continue;
        }
        digits++;
        if (significant == EXACT_DIGITS) continue; /* a longer whole number is far beyond the limit all the same */
        value = value * 10 + (s[i] - '0');
        if (value > 0) significant++;
        if (dots) scale *= 10;
    }
    *ret = value / scale;
    return digits > 0 && dots <= 1;
}

/* ": number )" at p->at. True: *ret is the number and *ret_end the place behind the bracket. */
static bool read_weight(const parser *p, double *ret, size_t *ret_end)
{
    size_t at = skip_space(p, p->at + 1);
    double sign = at < p->size && p->in[at] == '-' ? -1 : 1;
    if (at < p->size && (p->in[at] == '-' || p->in[at] == '+')) at++;
    size_t from = at;
    while (at < p->size && ((p->in[at] >= '0' && p->in[at] <= '9') || p->in[at] == '.')) at++;
    size_t end = skip_space(p, at);
    double value;
    if (end >= p->size || p->in[end] != ')' || !read_decimal(p->in + from, at - from, &value)) return false;
    *ret = sign * value;
    *ret_end = end + 1;
    return true;
}

static sdw_status colon(parser *p)
{
    double weight;
    size_t end;
    if (p->round.depth > 0 && read_weight(p, &weight, &end)) {
        p->at = end;
        return close_bracket(p, &p->round, weight);
    }
    p->at++;
    return add_text(p, ":", 1);
}

static sdw_status escape(parser *p)
{
    p->at++;
    if (p->at == p->size || !strchr("()[]\\", p->in[p->at])) return SDW_OK;
    return add_text(p, &p->in[p->at++], 1);
}

static bool is_word_char(const char *text, size_t size, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
    int32_t code = sdw_utf8_next(text, size, &at);
    sdw_char_class class = sdw_char_class_of(code);
    return code == '_' || class == SDW_CHAR_LETTER || class == SDW_CHAR_NUMBER;
}

/* Text without brackets, colons and backslashes: only BREAK means something in it. */
static sdw_status run(parser *p, size_t end)
{
    static const char word[] = "BREAK";
    const size_t n = sizeof word - 1;
    const char *in = p->in;
    size_t from = p->at;
    for (size_t at = from; at + n <= end; at++) {
        if (in[at] != 'B' || memcmp(in + at, word, n) != 0) continue;
        if (at > 0 && is_word_char(in, p->size, at - 1)) continue;
        if (at + n < p->size && is_word_char(in, p->size, at + n)) continue;
        sdw_status status = add_text(p, in + from, at - from);
        if (status == SDW_OK) status = add_segment(p, (sdw_segment){ .at = p->text_size, .weight = 1, .is_break = true });
        if (status != SDW_OK) return status;
        from = at + n;
        at = from - 1;
    }
    p->at = end;
    return add_text(p, in + from, end - from);
}

static size_t run_end(const parser *p)
{
    size_t end = p->at;
    while (end < p->size && (p->in[end] == '\0' || !strchr("\\()[]:", p->in[end]))) end++;
    return end;
}

static sdw_status one(parser *p)
{
    switch (p->in[p->at]) {
    case '\\': return escape(p);
    case '(': return open_bracket(p, &p->round);
    case '[': return open_bracket(p, &p->square);
    case ':': return colon(p);
    case ')':
        p->at++;
        return p->round.depth > 0 ? close_bracket(p, &p->round, ROUND) : add_text(p, ")", 1);
    case ']':
        p->at++;
        return p->square.depth > 0 ? close_bracket(p, &p->square, SQUARE) : add_text(p, "]", 1);
    default: return run(p, run_end(p));
    }
}

/* Neighbours of one weight are one text: a word cut by an escape must not be cut for the tokenizer. */
static void join_equals(sdw_segments *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        sdw_segment *last = kept ? &s->segment[kept - 1] : NULL, *next = &s->segment[i];
        if (last && !last->is_break && !next->is_break && last->weight == next->weight) last->size += next->size;
        else s->segment[kept++] = *next;
    }
    s->count = kept;
}

sdw_status sdw_attention_parse(const char *text, size_t size, const char *what, sdw_segments *ret, sdw_error *err)
{
    parser p = { .in = text, .what = what, .size = size, .err = err };
    p.out.text = sdw_malloc(size + 1);
    if (!p.out.text) return sdw_fail_memory(err, what, size + 1);
    sdw_status status = SDW_OK;
    while (p.at < size && status == SDW_OK) status = one(&p);
    while (p.round.depth > 0 && status == SDW_OK) status = close_bracket(&p, &p.round, ROUND);
    while (p.square.depth > 0 && status == SDW_OK) status = close_bracket(&p, &p.square, SQUARE);
    if (status == SDW_OK && p.out.count == 0) status = add_segment(&p, (sdw_segment){ .weight = 1 });
    if (status != SDW_OK) {
        sdw_segments_finish(&p.out);
        return status;
    }
    p.out.text[p.text_size] = '\0';
    join_equals(&p.out);
    *ret = p.out;
    return SDW_OK;
}

void sdw_segments_finish(sdw_segments *s)
{
    sdw_free(s->text);
    sdw_free(s->segment);
    *s = (sdw_segments){ 0 };
}
