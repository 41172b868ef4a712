/* bands.h - layers over large pictures, recorded as several ops over bands of their rows. What comes out are the bytes of one
 * op over the whole picture: bands begin at multiples of SDW_SUMS_ROWS, where the transforms of convolutions and the cells
 * of a group norm's sums begin too.
 *
 * Bands bound what one op does, so that a run can be cut into slices of equal work, and they save memory: a picture that becomes
 * half as wide gives its rows to the result while it is still being read (sdw_record_sliding_resnet). */
#ifndef SDW_MODEL_BANDS_H
#define SDW_MODEL_BANDS_H

#include "model/blocks.h"

typedef struct sdw_bands {
    double flop_max; /* of one op, about */
    int slide_rows;  /* of a sliding block; a multiple of SDW_SUMS_ROWS. 0: none slides */
} sdw_bands;

extern const sdw_bands sdw_bands_usual;
extern const sdw_bands sdw_bands_none; /* one op a layer, for tests */

/* A convolution of one lane with stride 1. It pads by 1 all around, may double the input's sides (up_h, up_w), and leaves a->sums
 * if they are given. */
sdw_tensor *sdw_record_conv_bands(sdw_graph *g, const sdw_bands *k, const sdw_tensor *x, const sdw_conv2d_args *a, sdw_tensor *out);
/* As sdw_record_resnet without time; out NULL: a new tensor. inner: where the first convolution's result goes, NULL: a new tensor. */
sdw_tensor *sdw_record_resnet_bands(sdw_graph *g, const sdw_bands *k, const sdw_resnet *r, sdw_tensor *x, sdw_tensor *inner, sdw_tensor *out);

/* Memory of a picture of h x w with 2 * c channels that a sliding block will read: the picture lies below some free rows. */
typedef struct sdw_slide {
    sdw_tensor *input;         /* (1,h,w,2c): to be written first */
    sdw_tensor *left, *right;  /* (1,h,w,c): columns that lie a band above it; free for use once the block is recorded */
} sdw_slide;
bool sdw_slides(const sdw_bands *k, const sdw_resnet *r, int h);
sdw_slide sdw_slide_create(sdw_graph *g, const sdw_bands *k, int h, int w, int channels);
/* r->in is twice r->out. Result in s->right; s->left is free afterwards, s->input gone. */
sdw_tensor *sdw_record_sliding_resnet(sdw_graph *g, const sdw_bands *k, const sdw_resnet *r, const sdw_slide *s);
/* Attention of one lane in bands of queries. */
sdw_tensor *sdw_record_attention_bands(sdw_graph *g, const sdw_bands *k, const sdw_tensor *q, const sdw_attention_args *a);

#endif
