/* clip.h - the CLIP text transformer (Radford et al. 2021), as Hugging Face's CLIPTextModel lays it out: pre-norm
 * blocks with causal attention over 77 positions. One topology for CLIP-L, OpenCLIP-H and OpenCLIP-bigG. */
#ifndef SDW_MODEL_CLIP_H
#define SDW_MODEL_CLIP_H

#include "core/json.h"
#include "model/blocks.h"

typedef struct sdw_clip_config {
    int vocabulary, positions, width, mlp_width, heads, layers;
    int projection;  /* width of text_projection; 0 = the model has none */
    sdw_act act;     /* quick_gelu, gelu (erf) or gelu_new (tanh) */
    float eps;
} sdw_clip_config;

sdw_status sdw_clip_config_parse(yyjson_val *config, const char *what, sdw_clip_config *ret, sdw_error *err);

typedef struct sdw_clip_layer {
    sdw_affine norm1, qkv, out, norm2, fc1, fc2;
} sdw_clip_layer;

typedef struct sdw_clip {
    sdw_clip_config config;
    const sdw_weight *tokens, *positions, *projection;
    sdw_clip_layer *layer; /* arena */
    sdw_affine final_norm;
} sdw_clip;

/* Fills c from its config; weights through b. */
void sdw_clip_walk(sdw_binder *b, const sdw_clip_config *config, sdw_clip *c);

/* Bound tensors of a recorded run; -1 where absent. */
typedef struct sdw_clip_io {
    int ids;       /* int32 (rows, tokens,1,1) */
    int eos;       /* int32 (rows,1,1,1) */
    int hidden;    /* (rows, tokens, 1, width) */
    int pooled;    /* (rows,1,1,width) */
    int projected; /* (rows,1,1,projection) */
} sdw_clip_io;

typedef struct sdw_clip_wants {
    int rows, tokens;
    int layer;       /* of hidden, from the end: 0 = after the last block */
    bool final_norm; /* of hidden */
    bool hidden, pooled, projected;
} sdw_clip_wants;

/* Records one run; blocks that nobody asks for are not computed. */
void sdw_clip_record(sdw_graph *g, const sdw_clip *c, const sdw_clip_wants *wants, sdw_clip_io *ret_io);

#endif
