/* prompt.h - a prompt as chunks of token ids, ready for a text encoder.
 *
 * A chunk is BOS, up to length - 2 tokens (75 of 77), EOS, and padding. Longer prompts go on in further chunks. In the
 * weighted syntax (text/attention.h) each token carries a weight, BREAK ends a chunk early, and a chunk that fills up
 * within 20 tokens behind a comma ends at that comma, so that phrases stay together: AUTOMATIC1111's rules. The plain
 * syntax splits every 75 tokens. An empty prompt is one chunk. */
#ifndef SDW_TEXT_PROMPT_H
#define SDW_TEXT_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/warn.h"
#include "text/clip_bpe.h"

/* Chunks of one prompt. The longest prompt has 1707 full chunks; only BREAK makes more. */
#define SDW_LIMIT_PROMPT_CHUNKS 2048
/* A1111's default for a chunk's last comma, in tokens. */
#define SDW_PROMPT_COMMA_TOKENS 20

typedef struct sdw_prompt_options {
    const char *what;   /* request field for errors and warnings; NULL = "prompt" */
    bool weighted;      /* brackets, weights, BREAK; otherwise every character is text */
    bool truncate;      /* one chunk, as diffusers; a warning names what was cut. No splitting at commas */
    bool comma_off;     /* weighted: split every length - 2 tokens as plain does */
} sdw_prompt_options;

/* Zeroed = empty. */
typedef struct sdw_prompt_ids {
    int chunks, length;
    int32_t *ids;       /* (chunks, length); owned */
    float *weights;     /* (chunks, length), 1 for BOS, EOS and padding; owned */
    int *eos;           /* (chunks) place of the first EOS, 1..length-1; owned */
    bool any_weight;    /* some weight is not 1 */
} sdw_prompt_ids;

/* SDW_LIMIT if the prompt is longer than SDW_LIMIT_PROMPT_BYTES, makes too many chunks or nests too deep; SDW_INVALID if
 * it is not UTF-8. options and warnings may be NULL. Any thread. */
sdw_status sdw_prompt_encode(const sdw_clip_bpe *t, const char *prompt, const sdw_prompt_options *options,
                             sdw_prompt_ids *ret, sdw_warnings *warnings, sdw_error *err);
/* Appends chunks of the empty prompt until there are `chunks`: positive and negative prompt must match. */
sdw_status sdw_prompt_ids_extend(sdw_prompt_ids *p, const sdw_clip_bpe *t, int chunks, sdw_error *err);
void sdw_prompt_ids_finish(sdw_prompt_ids *p);

#endif
