/* tiny.h - small random models for the engine's tests: a complete diffusers folder in the working folder of a test,
 * with weights from the library's own generator, so that every run of every test sees the same numbers. Functions fail
 * the running test when something goes wrong that the test is not about. */
#ifndef TESTS_ENGINE_TINY_H
#define TESTS_ENGINE_TINY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sdw/sdw.h"

/* SD15 and INPAINT (9 channels): one text encoder of 3 layers, 4 UNet levels, a tokenizer folder in which every letter
 * is a token. SDXL: two encoders of 3 and 4 layers, 3 levels, the built-in vocabulary, F16. All: 64 x 64 pixels, a VAE of
 * 4 levels. */
typedef enum tiny_kind { TINY_SD15, TINY_INPAINT, TINY_SDXL } tiny_kind;

typedef struct tiny_options {
    tiny_kind kind;
    const char *nan_tensor;  /* its first value becomes NaN; NULL = none */
    const char *scheduler;   /* text of scheduler_config.json; NULL = Euler */
} tiny_options;

/* Writes the folder unless it is there. */
void tiny_write(const char *folder, const tiny_options *o);

/* What an engine warned of. */
typedef struct tiny_warnings {
    char text[16][300];
    int count;
} tiny_warnings;
void tiny_warn(void *warnings, const char *sentence);
/* Has one of the sentences these words? */
bool tiny_warned(const tiny_warnings *w, const char *words);

/* o may be NULL: two threads, everything else by default. */
sdw_engine *tiny_open(const char *folder, const sdw_engine_options *o);

/* A request of 64 x 64, 2 steps, guidance 3, seed 7, sampler Euler. */
sdw_params tiny_params(const char *prompt);
sdw_result *tiny_generate(sdw_engine *e, const sdw_params *p);
/* The call must fail with this status, naming this field ("" = none) and these words. */
void tiny_refuse(sdw_engine *e, const sdw_params *p, sdw_status status, const char *field, const char *words);

bool tiny_same(const sdw_picture *a, const sdw_picture *b);
/* The number of pixels that differ in any channel. Both have the same size. */
int tiny_differing(const sdw_picture *a, const sdw_picture *b);
/* Is the picture anything but one colour? */
bool tiny_has_content(const sdw_picture *p);

/* A smooth coloured picture, and a mask that is white in [x0, x1) x [y0, y1). Pixels by malloc of the test: free with
 * tiny_picture_free. */
sdw_picture tiny_picture(int width, int height);
sdw_picture tiny_mask(int width, int height, int x0, int y0, int x1, int y1);
void tiny_picture_free(sdw_picture *p);

#endif
