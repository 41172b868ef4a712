/* clip_vocab.h - the tables of a byte-level BPE: tokens by id, ids by token, merges by pair. Inside text/ only.
 *
 * Tokens are in the files' spelling: each byte is one printable character (sdw_clip_byte_code), and "</w>" closes a
 * word. Built by one owner, then only read, by any thread. A zeroed struct is an empty vocabulary. */
#ifndef SDW_TEXT_CLIP_VOCAB_H
#define SDW_TEXT_CLIP_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

#define SDW_CLIP_WORD_END "</w>"
/* CLIP has 49,408 tokens; the largest CLIP-like vocabularies stay below 300,000. */
#define SDW_LIMIT_VOCAB (1 << 20)
/* The longest token of CLIP's published vocabulary has 131 bytes. */
#define SDW_LIMIT_TOKEN_BYTES 512
/* What the reference reads of a merges.txt, however long the file is: CLIP's vocabulary less bytes and specials. */
#define SDW_LIMIT_MERGES 48894

typedef struct sdw_clip_merge {
    int32_t left, right; /* left < 0: free slot */
    int32_t rank;        /* its line: the lowest is merged first */
    int32_t id;          /* what the two become */
} sdw_clip_merge;

typedef struct sdw_clip_vocab {
    sdw_arena arena;        /* owns all below */
    const char **token;     /* [size]; NULL = no token has this id */
    int32_t size;           /* highest id + 1 */
    int32_t *by_text;       /* open addressing; -1 = free */
    uint32_t by_text_mask;
    sdw_clip_merge *merges; /* open addressing */
    uint32_t merges_mask;
    int32_t merge_count;
    int32_t byte_id[2][256]; /* id of a byte, [1] of a byte that ends its word; -1 = the vocabulary lacks it */
} sdw_clip_vocab;

/* The code point that stands for a byte in vocabulary files: printable Latin-1 for itself, the rest from 256 upwards. */
int32_t sdw_clip_byte_code(int byte);
/* The byte that a code point stands for; -1 if none. */
int sdw_clip_code_byte(int32_t code);

/* An empty vocabulary with room for ids below `size` (1..SDW_LIMIT_VOCAB) and `merges` merges. */
sdw_status sdw_clip_vocab_init(sdw_clip_vocab *v, int32_t size, int32_t merges, sdw_error *err);
/* Copies the text. SDW_FORMAT naming `what` if the id is out of range or taken, or the text is empty or too long. */
sdw_status sdw_clip_vocab_add(sdw_clip_vocab *v, const char *text, int32_t id, const char *what, sdw_error *err);
/* -1 if no token has this text. */
int32_t sdw_clip_vocab_find(const sdw_clip_vocab *v, const char *text, size_t size);
/* Adds the next merge in order; a pair that is already there keeps its first rank. `id` is the merged token. */
void sdw_clip_vocab_add_merge(sdw_clip_vocab *v, int32_t left, int32_t right, int32_t id);
/* NULL if the pair does not merge. */
const sdw_clip_merge *sdw_clip_vocab_merge(const sdw_clip_vocab *v, int32_t left, int32_t right);
/* To be called once after the last token: fills byte_id. */
void sdw_clip_vocab_finish_bytes(sdw_clip_vocab *v);
void sdw_clip_vocab_free(sdw_clip_vocab *v);

/* CLIP's published vocabulary (clip_vocab_builtin.c) and one from the texts of vocab.json and merges.txt
 * (clip_vocab_files.c); `what` names the folder in errors. */
sdw_status sdw_clip_vocab_builtin(sdw_clip_vocab *ret, sdw_error *err);
sdw_status sdw_clip_vocab_parse(const char *vocab, size_t vocab_size, const char *merges, size_t merges_size,
                                const char *what, sdw_clip_vocab *ret, sdw_error *err);

#endif
