/* support.h - what the tests of text/ share: vocabularies as files would hold them, and the reference rows. */
#ifndef SDW_TESTS_TEXT_SUPPORT_H
#define SDW_TESTS_TEXT_SUPPORT_H

#include <stdbool.h>

#include "core/buf.h"
#include "text/clip_bpe.h"

typedef struct text_files {
    sdw_buf vocab, merges;
} text_files;

typedef struct text_files_style {
    int merge_count;               /* the first so many of CLIP's */
    bool crlf, no_heading, pretty; /* line ends and heading of merges.txt, line breaks in vocab.json */
} text_files_style;

/* vocab.json and merges.txt: CLIP's bytes and first merges, then the two specials as last ids. */
void text_files_make(text_files *ret, text_files_style style);
void text_files_free(text_files *f);

/* Opens them with the texts of the other two files, which may be NULL; asserts success. */
sdw_clip_bpe *text_files_open(const text_files *f, const char *config, const char *map);

/* Calls `check` with each row of a token list in the layout of clip_tokens.json; returns the number of rows.
 * padded is NULL if the row has none. */
typedef void (*text_row_fn)(void *ctx, const char *text, size_t size, const int *ids, size_t count, const int *padded);
size_t text_rows_each(const char *path, text_row_fn check, void *ctx);

#endif
