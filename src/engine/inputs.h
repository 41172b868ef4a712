/* inputs.h - the pictures of a request made ready: fitted to the size, turned into values the model reads, and the way back
 * to the caller's picture. */
#ifndef SDW_ENGINE_INPUTS_H
#define SDW_ENGINE_INPUTS_H

#include "image/geometry.h"
#include "image/image.h"
#include "sdw/sdw.h"

typedef struct sdw_inputs {
    int width, height;      /* of the work */
    float *picture;         /* (3, height, width) in [-1, 1]; NULL without init image */
    float *masked;          /* the same with 0 where it is repainted; NULL without mask */
    float *mask;            /* (height / factor, width / factor), 1 = repaint; NULL without mask */
    sdw_image *soft;        /* mask at working size as painted back, 0..255 */
    sdw_image *base;        /* what a result is pasted on: the fitted picture, or the caller's own */
    bool full_res;          /* the work is `region` of base, enlarged */
    sdw_box region;
} sdw_inputs;

/* r: resolved request; factor: pixels per latent cell. */
sdw_status sdw_inputs_prepare(const sdw_params *r, int factor, sdw_inputs *ret, sdw_error *err);
void sdw_inputs_finish(sdw_inputs *in);
/* Puts original pixels back where nothing was repainted, if the request says so: *image is replaced. */
sdw_status sdw_inputs_paste_back(const sdw_inputs *in, const sdw_params *r, sdw_image **image, sdw_error *err);

#endif
