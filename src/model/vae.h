/* vae.h - the autoencoder between pictures and latents (AutoencoderKL: Kingma and Welling 2014; Esser et al. 2021). */
#ifndef SDW_MODEL_VAE_H
#define SDW_MODEL_VAE_H

#include "core/json.h"
#include "model/bands.h"

#define SDW_VAE_LEVELS_MAX 8
static const float sdw_vae_eps = 1e-6f; /* of every norm */

typedef struct sdw_vae_config {
    int level_count, channels[SDW_VAE_LEVELS_MAX];
    int resnets;          /* per level in the encoder; one more in the decoder */
    int latent_channels, groups;
    bool quant, post_quant, mid_attention;
    double scaling_factor, shift_factor;
} sdw_vae_config;

sdw_status sdw_vae_config_parse(yyjson_val *config, const char *what, sdw_vae_config *ret, sdw_error *err);
/* Pixels per latent cell along a side: 2^(levels - 1). */
int sdw_vae_factor(const sdw_vae_config *c);

typedef struct sdw_vae_mid {
    sdw_resnet resnet[2];
    sdw_affine norm, qkv, out; /* single head over all channels */
} sdw_vae_mid;

typedef struct sdw_vae_stage {
    sdw_resnet *resnet; /* arena */
    int count;
    sdw_affine resample; /* w NULL = none */
} sdw_vae_stage;

typedef struct sdw_vae_half { /* encoder or decoder */
    sdw_affine conv_in, norm_out, conv_out, quant; /* quant: after the encoder, before the decoder */
    sdw_vae_mid mid;
    sdw_vae_stage stage[SDW_VAE_LEVELS_MAX]; /* in running order */
} sdw_vae_half;

typedef struct sdw_vae {
    sdw_vae_config config;
    sdw_vae_half encoder, decoder;
} sdw_vae;

void sdw_vae_walk(sdw_binder *b, const sdw_vae_config *config, sdw_vae *v);

typedef struct sdw_vae_io { int in, out; } sdw_vae_io;
/* in (1,h,w,latent), unscaled -> out (1,8h,8w,3) around [-1,1]. How it is cut into bands changes no byte. */
void sdw_vae_record_decode(sdw_graph *g, const sdw_vae *v, const sdw_bands *bands, int h, int w, sdw_vae_io *ret_io);
/* in (1,8h,8w,3) in [-1,1] -> out (1,h,w,2*latent): means, then unclamped log variances. */
void sdw_vae_record_encode(sdw_graph *g, const sdw_vae *v, const sdw_bands *bands, int h, int w, sdw_vae_io *ret_io);

#endif
