/* projection.h - how latents look, without decoding them: a colour per latent cell, linear in its channels. The factors
 * are fitted to the model's own VAE by encoding a fixed card of known colours, so they need no table of families. */
#ifndef SDW_ENGINE_PROJECTION_H
#define SDW_ENGINE_PROJECTION_H

#include "engine/pipeline.h"

enum { SDW_PROJECTION_CHANNELS_MAX = 16 };

typedef struct sdw_projection {
    int channels;
    float factor[SDW_PROJECTION_CHANNELS_MAX + 1][3]; /* of each channel, then the constant; RGB in 0..1 */
} sdw_projection;

/* One VAE encoding of 128 x 128 pixels. The same model gives the same factors. Engine thread. */
sdw_status sdw_projection_fit(sdw_pipeline *p, sdw_projection *ret, sdw_error *err);
/* z: (channels, count) as the UNet sees them; rgb: (count, 3). Values that are not finite become black. */
void sdw_projection_apply(const sdw_projection *p, const float *z, size_t count, uint8_t *rgb);

#endif
