/* clip_bpe_impl.h - what an open tokenizer is. Inside text/ only: clip_bpe_open.c makes it, clip_bpe.c uses it. */
#ifndef SDW_TEXT_CLIP_BPE_IMPL_H
#define SDW_TEXT_CLIP_BPE_IMPL_H

#include "text/clip_bpe.h"
#include "text/clip_vocab.h"

/* Named tokens (bos, eos, unk, sep, pad, cls, mask) and a few more; published files have four. */
#define SDW_LIMIT_SPECIALS 32

typedef struct sdw_clip_special {
    char *text;      /* owned; spelled as it is looked for: normalised if `normalized` */
    size_t size;
    int32_t id;
    bool normalized; /* looked for in the normalised text, otherwise in the text as written, before all others */
} sdw_clip_special;

struct sdw_clip_bpe {
    sdw_clip_vocab vocab;
    sdw_clip_special special[SDW_LIMIT_SPECIALS];
    int special_count;
    int32_t bos, eos, pad, unk;
    int32_t max_id;  /* of vocabulary and specials */
    int length;
};

#endif
