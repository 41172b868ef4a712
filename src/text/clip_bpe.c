/* clip_bpe.c - from text to ids and back.
 *
 * A text passes four sieves: special tokens that count as written; normalisation of what lies between; special tokens
 * that count when normalised; words. Each word becomes a list of byte tokens whose pairs wait in a heap, best rank first
 * and, at equal rank, leftmost first. A merge leaves the pairs it broke in the heap; they are recognised when they come
 * up, since their two ids no longer stand there. So a word of n bytes costs n log n. */
#include "text/clip_bpe.h"

#include <string.h>

#include "core/limits.h"
#include "core/mem.h"
#include "text/clip_bpe_impl.h"
#include "text/unicode.h"

#define NONE (-1)

typedef struct symbol {
    int32_t id, prev, next; /* neighbours in the list, NONE at the ends; id NONE: merged away */
} symbol;

typedef struct candidate {
    int32_t rank, at;    /* place of the left symbol */
    int32_t left, right; /* ids that stood there */
    int32_t id;          /* what they become */
} candidate;

typedef struct encoder {
    const sdw_clip_bpe *t;
    sdw_ids *ids;
    sdw_error *err;
    symbol *symbols;     /* [capacity] */
    candidate *heap;     /* [3 * capacity]: each pair of the word, and two more for each merge */
    size_t capacity;
    int32_t heap_count;
} encoder;

static bool before(const candidate *a, const candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(encoder *e, candidate c)
{
    int32_t i = e->heap_count++;
    for (int32_t up; i > 0 && before(&c, &e->heap[up = (i - 1) / 2]); i = up) e->heap[i] = e->heap[up];
    e->heap[i] = c;
}

static candidate heap_pop(encoder *e)
{
    candidate top = e->heap[0], last = e->heap[--e->heap_count];
    int32_t i = 0, n = e->heap_count;
    for (int32_t down; (down = 2 * i + 1) < n; i = down) {
        if (down + 1 < n && before(&e->heap[down + 1], &e->heap[down])) down++;
        if (!before(&e->heap[down], &last)) break;
        e->heap[i] = e->heap[down];
    }
    e->heap[i] = last;
    return top;
}

/* Offers the pair whose left symbol stands at `at`. */
static void consider(encoder *e, int32_t at)
{
    const symbol *s = e->symbols;
    if (at == NONE || s[at].next == NONE) return;
    int32_t left = s[at].id, right = s[s[at].next].id;
    const sdw_clip_merge *m = sdw_clip_vocab_merge(&e->t->vocab, left, right);
    if (m) heap_push(e, (candidate){ m->rank, at, left, right, m->id });
}

static void merge_best(encoder *e)
{
    symbol *s = e->symbols;
    while (e->heap_count > 0) {
        candidate c = heap_pop(e);
        int32_t next = s[c.at].next;
        if (s[c.at].id != c.left || next == NONE || s[next].id != c.right) continue;
        s[c.at].id = c.id;
        s[c.at].next = s[next].next;
        s[next].id = NONE;
        if (s[next].next != NONE) s[s[next].next].prev = c.at;
        consider(e, s[c.at].prev);
        consider(e, c.at);
    }
}

static sdw_status append_id(encoder *e, int32_t id)
{
    sdw_ids *ids = e->ids;
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity ? 2 * ids->capacity : 128;
        int32_t *grown = sdw_realloc(ids->id, capacity * sizeof *grown);
        if (!grown) return sdw_fail_memory(e->err, "token ids", capacity * sizeof *grown);
        ids->id = grown;
        ids->capacity = capacity;
    }
    ids->id[ids->count++] = id;
    return SDW_OK;
}

static sdw_status make_room(encoder *e, size_t bytes)
{
    if (bytes <= e->capacity) return SDW_OK;
    size_t capacity = bytes < 256 ? 256 : 2 * bytes;
    sdw_free(e->symbols);
    sdw_free(e->heap);
    e->symbols = sdw_malloc(capacity * sizeof *e->symbols);
    e->heap = sdw_malloc(3 * capacity * sizeof *e->heap);
    e->capacity = e->symbols && e->heap ? capacity : 0;
    return e->capacity ? SDW_OK : sdw_fail_memory(e->err, "tokenizer", 3 * capacity * sizeof *e->heap);
}

/* One word: the sieve's last product. A byte that the vocabulary lacks becomes the unknown token. */
static sdw_status encode_word(encoder *e, const char *word, size_t size)
{
    sdw_status status = make_room(e, size);
    if (status != SDW_OK) return status;
    int32_t n = (int32_t)size;
    e->heap_count = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t id = e->t->vocab.byte_id[i == n - 1][(unsigned char)word[i]];
        e->symbols[i] = (symbol){ id >= 0 ? id : e->t->unk, i - 1, i == n - 1 ? NONE : i + 1 };
    }
    for (int32_t i = 0; i < n; i++) consider(e, i);
    merge_best(e);
    for (int32_t i = 0; i != NONE && status == SDW_OK; i = e->symbols[i].next) status = append_id(e, e->symbols[i].id);
    return status;
}

/* Bytes of an English contraction at p ("'s", "'re"), 0 if there is none. */
static size_t contraction(const char *p, size_t size)
{
    static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (size >= n && memcmp(p, endings[i], n) == 0) return n;
    }
    return 0;
}

/* Behind the word that begins at `at` with a code point of this class: a contraction, a run of letters, one number, or a
 * run of the rest, in which a later apostrophe is nothing special. */
static size_t word_end(const char *text, size_t size, size_t at)
{
    size_t end = at, ending = contraction(text + at, size - at);
    if (ending) return at + ending;
    sdw_char_class class = sdw_char_class_of(sdw_utf8_next(text, size, &end));
    if (class == SDW_CHAR_NUMBER) return end;
    for (size_t next = end; next < size; end = next)
        if (sdw_char_class_of(sdw_utf8_next(text, size, &next)) != class) break;
    return end;
}

static sdw_status encode_words(encoder *e, const char *text, size_t size)
{
    sdw_status status = SDW_OK;
    for (size_t at = 0; at < size && status == SDW_OK;) {
        size_t end = at;
        if (sdw_char_class_of(sdw_utf8_next(text, size, &end)) != SDW_CHAR_SPACE) {
            end = word_end(text, size, at);
            status = encode_word(e, text + at, end - at);
        }
        at = end;
    }
    return status;
}

/* The longest special token of this kind that begins at p. */
static const sdw_clip_special *special_at(const sdw_clip_bpe *t, const char *p, size_t size, bool normalized)
{
    const sdw_clip_special *best = NULL;
    for (int i = 0; i < t->special_count; i++) {
        const sdw_clip_special *s = &t->special[i];
        if (s->normalized != normalized || s->size > size || memcmp(p, s->text, s->size) != 0) continue;
        if (!best || s->size > best->size) best = s;
    }
    return best;
}

static sdw_status encode_normalized_piece(encoder *e, const char *text, size_t size);

static sdw_status encode_raw_piece(encoder *e, const char *text, size_t size)
{
    sdw_buf normal;
    sdw_buf_init(&normal, 0);
    sdw_status status = sdw_text_normalize(text, size, &normal, e->err);
    if (status == SDW_OK) status = encode_normalized_piece(e, normal.data, normal.size);
    sdw_buf_finish(&normal);
    return status;
}

typedef sdw_status (*piece_fn)(encoder *e, const char *text, size_t size);

/* Leftmost specials first; what lies between goes to `piece`. */
static sdw_status split_at_specials(encoder *e, const char *text, size_t size, bool normalized, piece_fn piece)
{
    sdw_status status = SDW_OK;
    size_t from = 0;
    for (size_t at = 0; at < size && status == SDW_OK;) {
        const sdw_clip_special *s = special_at(e->t, text + at, size - at, normalized);
        if (!s) {
            at++;
            continue;
        }
        if (at > from) status = piece(e, text + from, at - from);
        if (status == SDW_OK) status = append_id(e, s->id);
        from = at += s->size;
    }
    if (status == SDW_OK && size > from) status = piece(e, text + from, size - from);
    return status;
}

static sdw_status encode_normalized_piece(encoder *e, const char *text, size_t size)
{
    return split_at_specials(e, text, size, true, encode_words);
}

sdw_status sdw_clip_bpe_encode(const sdw_clip_bpe *t, const char *text, size_t size, sdw_ids *ids, sdw_error *err)
{
    if (size > SDW_LIMIT_PROMPT_BYTES)
        return sdw_fail(err, SDW_LIMIT, "prompt: %zu bytes, want at most %zu", size, SDW_LIMIT_PROMPT_BYTES);
    sdw_status status = sdw_utf8_check(text, size, "prompt", err);
    if (status != SDW_OK) return status;
    size_t count = ids->count;
    encoder e = { .t = t, .ids = ids, .err = err };
    status = split_at_specials(&e, text, size, false, encode_raw_piece);
    sdw_free(e.symbols);
    sdw_free(e.heap);
    if (status != SDW_OK) ids->count = count;
    return status;
}

void sdw_ids_finish(sdw_ids *ids)
{
    sdw_free(ids->id);
    *ids = (sdw_ids){ 0 };
}

/* The bytes of a token, a word's end as a space. Characters outside the byte alphabet stay as they are. */
static void decode_token(const char *text, sdw_buf *out)
{
    size_t size = strlen(text), mark = sizeof SDW_CLIP_WORD_END - 1;
    bool ends = size > mark && memcmp(text + size - mark, SDW_CLIP_WORD_END, mark) == 0;
    if (ends) size -= mark;
    for (size_t at = 0; at < size;) {
        size_t from = at;
        int byte = sdw_clip_code_byte(sdw_utf8_next(text, size, &at));
        if (byte >= 0) sdw_buf_append(out, &(char){ (char)byte }, 1);
        else sdw_buf_append(out, text + from, at - from);
    }
    if (ends) sdw_buf_puts(out, " ");
}

/* NULL if no token has this id. */
static const char *token_text(const sdw_clip_bpe *t, int32_t id)
{
    if (id >= 0 && id < t->vocab.size && t->vocab.token[id]) return t->vocab.token[id];
    for (int i = 0; i < t->special_count; i++)
        if (t->special[i].id == id) return t->special[i].text;
    return NULL;
}

sdw_status sdw_clip_bpe_decode(const sdw_clip_bpe *t, const int32_t *id, size_t count, sdw_buf *out, sdw_error *err)
{
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    for (size_t i = 0; i < count; i++) {
        const char *token = token_text(t, id[i]);
        if (!token) {
            sdw_buf_finish(&bytes);
            return sdw_fail(err, SDW_INVALID, "token id %d: want an id of the vocabulary, 0..%d", id[i], t->max_id);
        }
        decode_token(token, &bytes);
    }
    if (bytes.size && bytes.data[bytes.size - 1] == ' ') bytes.size--;
    for (size_t at = 0; at < bytes.size;) {
        char utf8[4];
        int32_t code = sdw_utf8_next(bytes.data, bytes.size, &at);
        sdw_buf_append(out, utf8, (size_t)sdw_utf8_put(code, utf8));
    }
    bool failed = bytes.failed || out->failed;
    sdw_buf_finish(&bytes);
    return failed ? sdw_fail_memory(err, "text of token ids", bytes.size) : SDW_OK;
}

int32_t sdw_clip_bpe_bos(const sdw_clip_bpe *t)
{
    return t->bos;
}

int32_t sdw_clip_bpe_eos(const sdw_clip_bpe *t)
{
    return t->eos;
}

int32_t sdw_clip_bpe_pad(const sdw_clip_bpe *t)
{
    return t->pad;
}

int32_t sdw_clip_bpe_max_id(const sdw_clip_bpe *t)
{
    return t->max_id;
}

int sdw_clip_bpe_length(const sdw_clip_bpe *t)
{
    return t->length;
}
