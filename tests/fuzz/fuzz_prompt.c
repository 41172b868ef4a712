/* Prompts in both syntaxes: whatever comes in, chunks come out whole or an error says why.
 * The first byte chooses: 1 weighted, 2 truncate, 4 no comma rule, 8 the tokenizer that pads with "!". */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}

static void check(const sdw_prompt_ids *p, const sdw_clip_bpe *t, bool truncate)
{
    require(p->chunks >= 1 && p->chunks <= SDW_LIMIT_PROMPT_CHUNKS && p->length == sdw_clip_bpe_length(t));
    require(!truncate || p->chunks == 1);
    for (int c = 0; c < p->chunks; c++) {
        const int32_t *ids = p->ids + c * p->length;
        require(ids[0] == sdw_clip_bpe_bos(t) && p->eos[c] >= 1 && p->eos[c] < p->length);
        for (int i = 0; i < p->length; i++) {
            require(ids[i] >= 0 && ids[i] <= sdw_clip_bpe_max_id(t) && isfinite(p->weights[c * p->length + i]));
            require((ids[i] == sdw_clip_bpe_eos(t)) <= (i >= p->eos[c]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sdw_clip_bpe *tokenizer[2];
    static const int32_t pad[2] = { 49407, 0 };
    if (size == 0) return 0;
    int flags = data[0];
    sdw_clip_bpe **t = &tokenizer[(flags & 8) != 0];
    if (!*t) require(sdw_clip_bpe_open_builtin(pad[(flags & 8) != 0], t, NULL) == SDW_OK);
    const sdw_prompt_options o = { .weighted = flags & 1, .truncate = flags & 2, .comma_off = flags & 4 };
    sdw_warnings warnings = { 0 };
    sdw_error err = { 0 };
    sdw_prompt_ids p = { 0 };
    char *prompt = malloc(size);
    require(prompt != NULL);
    memcpy(prompt, data + 1, size - 1);
    prompt[size - 1] = '\0';
    if (sdw_prompt_encode(*t, prompt, &o, &p, &warnings, &err) == SDW_OK) check(&p, *t, o.truncate);
    else require(err.text[0] && strcmp(err.field, "prompt") == 0 && !p.ids);
    sdw_prompt_ids_finish(&p);
    sdw_warnings_finish(&warnings);
    free(prompt);
    return 0;
}
