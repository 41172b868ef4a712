/* prompt.c - segments to tokens, tokens to chunks. */
#include "text/prompt.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/mem.h"
#include "text/attention.h"
#include "text/unicode.h"

#define NO_COMMA (-1)
#define CUT_TEXT_MAX 300 /* bytes of cut text that a warning quotes */

/* All tokens of a prompt in order, with the segments they came from. */
typedef struct tokens {
    sdw_segments segments;
    size_t *end; /* (segments) behind the last token of each */
    sdw_ids ids;
} tokens;

/* Chunks in the making. */
typedef struct filler {
    const sdw_clip_bpe *t;
    const char *what;
    sdw_prompt_ids out;
    int capacity;      /* chunks that the arrays hold */
    int fill;          /* tokens in the last chunk */
    bool open;         /* the last chunk still takes tokens */
    int comma;         /* tokens before the last comma of the chunk, NO_COMMA = none */
    int comma_tokens;  /* how far back a comma may lie; 0 = commas mean nothing */
    int32_t comma_id;
    sdw_error *err;
} filler;

static bool grow(sdw_prompt_ids *p, int chunks)
{
    size_t n = (size_t)chunks * (size_t)p->length;
    int32_t *ids = sdw_realloc(p->ids, n * sizeof *ids);
    if (ids) p->ids = ids;
    float *weights = sdw_realloc(p->weights, n * sizeof *weights);
    if (weights) p->weights = weights;
    int *eos = sdw_realloc(p->eos, (size_t)chunks * sizeof *eos);
    if (eos) p->eos = eos;
    return ids && weights && eos;
}

/* Writes the chunk of the empty prompt. */
static void clear_chunk(sdw_prompt_ids *p, const sdw_clip_bpe *t, int chunk)
{
    int32_t *ids = p->ids + (size_t)chunk * (size_t)p->length;
    float *weights = p->weights + (size_t)chunk * (size_t)p->length;
    for (int i = 0; i < p->length; i++) {
        ids[i] = i == 0 ? sdw_clip_bpe_bos(t) : i == 1 ? sdw_clip_bpe_eos(t) : sdw_clip_bpe_pad(t);
        weights[i] = 1;
    }
    p->eos[chunk] = 1;
}

static sdw_status begin_chunk(filler *f)
{
    if (f->out.chunks == SDW_LIMIT_PROMPT_CHUNKS)
        return sdw_fail(f->err, SDW_LIMIT, "%s: more than %d chunks, want at most so many", f->what,
                        SDW_LIMIT_PROMPT_CHUNKS);
    if (f->out.chunks == f->capacity) {
        int capacity = f->capacity ? 2 * f->capacity : 1;
        if (!grow(&f->out, capacity)) return sdw_fail_memory(f->err, f->what, (size_t)capacity * (size_t)f->out.length);
        f->capacity = capacity;
    }
    clear_chunk(&f->out, f->t, f->out.chunks++);
    f->fill = 0;
    f->comma = NO_COMMA;
    f->open = true;
    return SDW_OK;
}

/* Everything behind the first `fill` tokens becomes EOS and padding. The first EOS counts: a prompt may hold one itself. */
static void close_chunk(filler *f, int chunk, int fill)
{
    int32_t *ids = f->out.ids + (size_t)chunk * (size_t)f->out.length;
    float *weights = f->out.weights + (size_t)chunk * (size_t)f->out.length;
    int eos = 0;
    for (int i = fill + 1; i < f->out.length; i++) {
        ids[i] = i == fill + 1 ? sdw_clip_bpe_eos(f->t) : sdw_clip_bpe_pad(f->t);
        weights[i] = 1;
    }
    while (ids[eos] != sdw_clip_bpe_eos(f->t)) eos++;
    f->out.eos[chunk] = eos;
}

static void end_chunk(filler *f)
{
    close_chunk(f, f->out.chunks - 1, f->fill);
    f->open = false;
}

static void put(filler *f, int32_t id, float weight)
{
    size_t at = (size_t)(f->out.chunks - 1) * (size_t)f->out.length + 1 + (size_t)f->fill++;
    f->out.ids[at] = id;
    f->out.weights[at] = weight;
    if (weight != 1) f->out.any_weight = true;
}

/* The full chunk keeps what reaches to its last comma; what followed opens the next one. */
static sdw_status split_at_comma(filler *f)
{
    int chunk = f->out.chunks - 1, kept = f->comma + 1, full = f->fill;
    sdw_status status = begin_chunk(f);
    if (status != SDW_OK) return status;
    size_t base = (size_t)chunk * (size_t)f->out.length + 1;
    for (size_t i = base + (size_t)kept; i < base + (size_t)full; i++) put(f, f->out.ids[i], f->out.weights[i]);
    close_chunk(f, chunk, kept);
    return SDW_OK;
}

/* The order of the two questions is A1111's: a comma that itself overflows a chunk splits nothing. */
static sdw_status add_token(filler *f, int32_t id, float weight)
{
    const int room = f->out.length - 2;
    sdw_status status = f->open ? SDW_OK : begin_chunk(f);
    if (status != SDW_OK) return status;
    if (f->comma_tokens > 0 && id == f->comma_id) f->comma = f->fill;
    else if (f->fill == room && f->comma != NO_COMMA && f->fill - f->comma <= f->comma_tokens) status = split_at_comma(f);
    if (status == SDW_OK && f->fill == room) {
        end_chunk(f);
        status = begin_chunk(f);
    }
    if (status == SDW_OK) put(f, id, weight);
    return status;
}

static sdw_status add_break(filler *f)
{
    sdw_status status = f->open ? SDW_OK : begin_chunk(f);
    if (status == SDW_OK) end_chunk(f);
    return status;
}

static sdw_status fill_chunks(filler *f, const tokens *k)
{
    sdw_status status = SDW_OK;
    for (size_t s = 0, i = 0; s < k->segments.count; s++) {
        const sdw_segment *segment = &k->segments.segment[s];
        if (segment->is_break && status == SDW_OK) status = add_break(f);
        for (; i < k->end[s] && status == SDW_OK; i++) status = add_token(f, k->ids.id[i], (float)segment->weight);
    }
    if (status == SDW_OK && f->out.chunks == 0) status = begin_chunk(f);
    if (status == SDW_OK && f->open) end_chunk(f);
    return status;
}

/* Quotes what is behind the first `kept` tokens, cut at a whole character. */
static void warn_of_cut(const sdw_clip_bpe *t, const tokens *k, size_t kept, const char *what, sdw_warnings *warnings)
{
    sdw_buf text;
    size_t cut = k->ids.count - kept;
    if (cut == 0) return;
    sdw_buf_init(&text, 0);
    sdw_clip_bpe_decode(t, k->ids.id + kept, cut, &text, NULL);
    size_t size = text.size < CUT_TEXT_MAX ? text.size : CUT_TEXT_MAX;
    while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
    sdw_warn(warnings, "%s: the last %zu of %zu tokens do not fit in %d and are cut: \"%.*s%s\"", what, cut, k->ids.count,
             sdw_clip_bpe_length(t), (int)size, text.data ? text.data : "", size < text.size ? "..." : "");
    sdw_buf_finish(&text);
}

/* Leaves the tokens of the first chunk: the first 75, or fewer before a BREAK. */
static void truncate_tokens(const sdw_clip_bpe *t, tokens *k, const char *what, sdw_warnings *warnings)
{
    size_t room = (size_t)sdw_clip_bpe_length(t) - 2, kept = k->ids.count < room ? k->ids.count : room, count = 0;
    while (count < k->segments.count && !k->segments.segment[count].is_break) count++;
    k->segments.count = count;
    size_t before_break = count ? k->end[count - 1] : 0;
    if (kept > before_break) kept = before_break;
    warn_of_cut(t, k, kept, what, warnings);
    k->ids.count = kept;
    for (size_t s = 0; s < count; s++)
        if (k->end[s] > kept) k->end[s] = kept;
}

static void tokens_finish(tokens *k)
{
    sdw_segments_finish(&k->segments);
    sdw_free(k->end);
    sdw_ids_finish(&k->ids);
}

/* The plain syntax is one segment. */
static sdw_status plain_segment(const char *prompt, size_t size, const char *what, sdw_segments *ret, sdw_error *err)
{
    sdw_segments s = { .text = sdw_strdup(prompt), .segment = sdw_malloc(sizeof *s.segment), .count = 1, .capacity = 1 };
    if (!s.text || !s.segment) {
        sdw_segments_finish(&s);
        return sdw_fail_memory(err, what, size);
    }
    s.segment[0] = (sdw_segment){ .size = size, .weight = 1 };
    *ret = s;
    return SDW_OK;
}

static sdw_status tokenize(const sdw_clip_bpe *t, const char *prompt, bool weighted, const char *what, tokens *k,
                           sdw_error *err)
{
    size_t size = strlen(prompt);
    if (size > SDW_LIMIT_PROMPT_BYTES)
        return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes, want at most %zu", what, size, SDW_LIMIT_PROMPT_BYTES);
    sdw_status status = sdw_utf8_check(prompt, size, what, err);
    if (status == SDW_OK)
        status = weighted ? sdw_attention_parse(prompt, size, what, &k->segments, err)
                          : plain_segment(prompt, size, what, &k->segments, err);
    if (status != SDW_OK) return status;
    k->end = sdw_malloc(k->segments.count * sizeof *k->end);
    if (!k->end) return sdw_fail_memory(err, what, k->segments.count * sizeof *k->end);
    for (size_t s = 0; s < k->segments.count && status == SDW_OK; s++) {
        const sdw_segment *segment = &k->segments.segment[s];
        status = sdw_clip_bpe_encode(t, k->segments.text + segment->at, segment->size, &k->ids, err);
        k->end[s] = k->ids.count;
    }
    return status;
}

/* The id of a comma as a word of its own; a vocabulary that spells it with several tokens has none. */
static sdw_status find_comma(filler *f)
{
    sdw_ids ids = { 0 };
    sdw_status status = sdw_clip_bpe_encode(f->t, ",", 1, &ids, f->err);
    if (status == SDW_OK && ids.count == 1) f->comma_id = ids.id[0];
    else f->comma_tokens = 0;
    sdw_ids_finish(&ids);
    return status;
}

sdw_status sdw_prompt_encode(const sdw_clip_bpe *t, const char *prompt, const sdw_prompt_options *options,
                             sdw_prompt_ids *ret, sdw_warnings *warnings, sdw_error *err)
{
    const sdw_prompt_options o = options ? *options : (sdw_prompt_options){ 0 };
    const char *what = o.what ? o.what : "prompt";
    filler f = { .t = t, .what = what, .out = { .length = sdw_clip_bpe_length(t) }, .err = err };
    tokens k = { 0 };
    if (o.weighted && !o.truncate && !o.comma_off) f.comma_tokens = SDW_PROMPT_COMMA_TOKENS;
    sdw_status status = tokenize(t, prompt, o.weighted, what, &k, err);
    if (status == SDW_OK && o.truncate) truncate_tokens(t, &k, what, warnings);
    if (status == SDW_OK && f.comma_tokens > 0) status = find_comma(&f);
    if (status == SDW_OK) status = fill_chunks(&f, &k);
    tokens_finish(&k);
    if (status == SDW_OK) {
        *ret = f.out;
        return SDW_OK;
    }
    sdw_prompt_ids_finish(&f.out);
    if (err) snprintf(err->field, sizeof err->field, "%s", what);
    return status;
}

sdw_status sdw_prompt_ids_extend(sdw_prompt_ids *p, const sdw_clip_bpe *t, int chunks, sdw_error *err)
{
    if (chunks <= p->chunks) return SDW_OK;
    if (!grow(p, chunks)) return sdw_fail_memory(err, "prompt", (size_t)chunks * (size_t)p->length);
    while (p->chunks < chunks) clear_chunk(p, t, p->chunks++);
    return SDW_OK;
}

void sdw_prompt_ids_finish(sdw_prompt_ids *p)
{
    sdw_free(p->ids);
    sdw_free(p->weights);
    sdw_free(p->eos);
    *p = (sdw_prompt_ids){ 0 };
}
