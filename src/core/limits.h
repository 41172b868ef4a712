/* limits.h - every limit has a name and a reason here. */
#ifndef SDW_CORE_LIMITS_H
#define SDW_CORE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Vocabularies are the largest JSON we read (T5's tokenizer.json 2.4 MB; a sharded index 1 MB); 64 MiB leaves room. */
#define SDW_LIMIT_JSON_BYTES ((size_t)64 << 20)
/* Deepest known configuration nests 6 levels. */
#define SDW_LIMIT_JSON_DEPTH 64
/* The safetensors format itself allows 100 MB of header. */
#define SDW_LIMIT_SAFETENSORS_HEADER ((size_t)100 << 20)
/* Largest models have some 6,000 tensors over all files. */
#define SDW_LIMIT_TENSORS 200000
/* Pictures: a side and a product, checked before any pixel is allocated. 64 Mpixel = 8192 x 8192. */
#define SDW_LIMIT_IMAGE_SIDE 16384
#define SDW_LIMIT_IMAGE_PIXELS ((size_t)64 << 20)
#define SDW_LIMIT_IMAGE_BYTES ((size_t)256 << 20)
/* Pixels that all threads of the process together may be decoding: two pictures of the largest size. */
#define SDW_LIMIT_IMAGE_PIXELS_DECODING ((size_t)128 << 20)
/* A text stored in a picture (the request as JSON): some prompts' worth. */
#define SDW_LIMIT_IMAGE_TEXT_BYTES ((size_t)1 << 20)
/* A prompt: 32000 characters of up to four bytes, the protocol's limit; some 400 chunks of 75 tokens. */
#define SDW_LIMIT_PROMPT_BYTES ((size_t)128000)
/* Sizes of generated pictures, in pixels; multiples of 8. */
#define SDW_LIMIT_SIZE_MIN 64
#define SDW_LIMIT_SIZE_MAX 2048
/* The journal is rewritten when it is larger than this and mostly dead: a second of reading at start. */
#define SDW_LIMIT_JOURNAL_BYTES ((uint64_t)64 << 20)
/* One record: a request with its prompts and an echo of what the client sent. */
#define SDW_LIMIT_JOURNAL_RECORD ((size_t)16 << 20)
/* Notes kept in memory while the disk takes nothing: ends of some thousand jobs. */
#define SDW_LIMIT_JOURNAL_OWED ((size_t)4 << 20)
/* Remembered Idempotency-Keys. */
#define SDW_LIMIT_IDEMPOTENCY_KEYS 10000

#endif
