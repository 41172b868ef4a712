/* attention.h - the weighted prompt syntax, as AUTOMATIC1111's web UI reads it.
 *
 *     (x)      weight 1.1         (x:1.2)  weight 1.2        [x]   weight 1/1.1
 *     \( \) \[ \] \\   the character itself; any other lone backslash vanishes
 *     BREAK    (a word of its own) what follows begins a new chunk, inside brackets too
 *
 * Brackets nest and weights multiply. A bracket left open reaches to the end; a closing one too many is text, and so
 * is a weight that is not a number: in "(x:.)" and "(x:nan)" the colon and what follows are text, and the bracket
 * weighs 1.1. [x:y:0.5], [x|y] and AND are text here. */
#ifndef SDW_TEXT_ATTENTION_H
#define SDW_TEXT_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* Open brackets of a kind at one place. 1.1^128 is 198,730: already far beyond any use. */
#define SDW_LIMIT_PROMPT_DEPTH 128
/* Weights and their products; beyond it activations stop being finite. */
#define SDW_LIMIT_PROMPT_WEIGHT 1e6

typedef struct sdw_segment {
    size_t at, size; /* bytes of `text` */
    double weight;
    bool is_break;   /* BREAK: no text, weight 1 */
} sdw_segment;

/* Neighbours differ in weight or are breaks; without any, there is one empty segment. Zeroed = empty. */
typedef struct sdw_segments {
    char *text;           /* owned; escapes resolved */
    sdw_segment *segment; /* owned */
    size_t count, capacity;
} sdw_segments;

/* Time is linear in the size. SDW_LIMIT when brackets nest too deep, SDW_INVALID when weights multiply beyond the
 * limit, both naming the place; `what` names the prompt. ret is written on success; sdw_segments_finish frees it. Any thread. */
sdw_status sdw_attention_parse(const char *text, size_t size, const char *what, sdw_segments *ret, sdw_error *err);
void sdw_segments_finish(sdw_segments *s);

#endif
