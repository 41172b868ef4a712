/* support.h - what the picture tests share. */
#ifndef TESTS_IMAGE_SUPPORT_H
#define TESTS_IMAGE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "image/image.h"

uint64_t fnv(const void *data, size_t size); /* FNV-1a */
/* The test picture that make_vectors.py knows as well. */
sdw_image *pattern(int width, int height, int channels);
/* A file below tests/fuzz/corpus; the test fails if it cannot be read. *ret: sdw_buf_finish. */
void read_corpus(const char *name, sdw_buf *ret);
sdw_image *decode_ok(const sdw_buf *file, int channels);
/* Encodes without texts; *ret: sdw_buf_finish. */
void encode_ok(const sdw_image *image, const char *format, const sdw_image_encode_options *options, sdw_buf *ret);

#endif
