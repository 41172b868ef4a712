/* clip_bpe.h - CLIP's tokenizer: text to token ids, as the reference library's fast tokenizer does it.
 *
 *     NFC, lower case, split at white space and between letters, single digits and signs ('s 't 're 've 'm 'll 'd are
 *     words), bytes of each word merged pair by pair, the best known pair first, the word's last byte marked "</w>".
 *
 * No repair of mojibake and no HTML unescaping. Special tokens written in a text count as such; where a tokenizer
 * pads with "!", that makes every "!" of a text the padding token, as it does in the reference. */
#ifndef SDW_TEXT_CLIP_BPE_H
#define SDW_TEXT_CLIP_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

/* Immutable once open: any number of threads may use one at a time. */
typedef struct sdw_clip_bpe sdw_clip_bpe;

/* The published CLIP vocabulary (49,408 tokens). pad_id: 49407 for CLIP ViT-L, 0 for OpenCLIP. */
sdw_status sdw_clip_bpe_open_builtin(int32_t pad_id, sdw_clip_bpe **ret, sdw_error *err);

/* A tokenizer folder: vocab.json and merges.txt, and, if there, tokenizer_config.json and special_tokens_map.json.
 * Where both name a token, the map wins unless the config has an added_tokens_decoder, as in the reference.
 * A folder that names no special tokens means "<|startoftext|>" and "<|endoftext|>", and pads with the latter. */
sdw_status sdw_clip_bpe_open_dir(const char *dir, sdw_clip_bpe **ret, sdw_error *err);

/* The same from the files' contents; config and map may be NULL. `what` stands for the folder in errors. */
typedef struct sdw_clip_bpe_texts {
    const char *what;
    const char *vocab, *merges, *config, *map;
    size_t vocab_size, merges_size, config_size, map_size;
} sdw_clip_bpe_texts;
sdw_status sdw_clip_bpe_open_texts(const sdw_clip_bpe_texts *texts, sdw_clip_bpe **ret, sdw_error *err);

void sdw_clip_bpe_close(sdw_clip_bpe *t); /* accepts NULL */

int32_t sdw_clip_bpe_bos(const sdw_clip_bpe *t);
int32_t sdw_clip_bpe_eos(const sdw_clip_bpe *t);
int32_t sdw_clip_bpe_pad(const sdw_clip_bpe *t);
/* The highest id that encode can give; the text encoder needs a row for it. */
int32_t sdw_clip_bpe_max_id(const sdw_clip_bpe *t);
/* model_max_length: ids per chunk with BOS and EOS, 3..SDW_CLIP_LENGTH_MAX. 77 if the files do not say a number in it. */
int sdw_clip_bpe_length(const sdw_clip_bpe *t);
#define SDW_CLIP_LENGTH 77
#define SDW_CLIP_LENGTH_MAX 4096

/* A growing list of ids. Zeroed = empty. */
typedef struct sdw_ids {
    int32_t *id; /* owned */
    size_t count, capacity;
} sdw_ids;
void sdw_ids_finish(sdw_ids *ids);

/* Appends the ids of a text (UTF-8, at most SDW_LIMIT_PROMPT_BYTES), without BOS and EOS, not cut. Time is about linear
 * in the size whatever the text. SDW_LIMIT if it is too long, SDW_INVALID if it is not UTF-8; `ids` keeps what was there. */
sdw_status sdw_clip_bpe_encode(const sdw_clip_bpe *t, const char *text, size_t size, sdw_ids *ids, sdw_error *err);

/* Appends the text of ids, words set apart by spaces, for people to read. Bytes that are not UTF-8 become U+FFFD. */
sdw_status sdw_clip_bpe_decode(const sdw_clip_bpe *t, const int32_t *id, size_t count, sdw_buf *out, sdw_error *err);

#endif
