/* ldm_out.h - from canonical names to those of a single file in the original layout: the way back of ldm_names.h and
 * clip_names.h, for files that we make ourselves. */
#ifndef SDW_IO_LDM_OUT_H
#define SDW_IO_LDM_OUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sdw_ldm_layout {
    int resnets;          /* layers_per_block of the UNet */
    int vae_levels;       /* resolutions of the VAE */
    unsigned up_attention; /* bit L: up_blocks.L of the UNet has attention */
} sdw_ldm_layout;

typedef enum sdw_ldm_shape {
    SDW_LDM_SAME,
    SDW_LDM_CONV,         /* a matrix stored as 1x1 convolution */
    SDW_LDM_TRANSPOSED,
    SDW_LDM_THREE         /* q, k and v in one: three times the rows */
} sdw_ldm_shape;

/* Each writes the name in the file, cut at `size`; false if the tensor has no place of its own there (k and v of a fused
 * matrix) or the name is none of the part. */
bool sdw_ldm_unet_name(const sdw_ldm_layout *l, const char *name, char *ret, size_t size);
bool sdw_ldm_vae_name(const sdw_ldm_layout *l, const char *name, char *ret, size_t size, sdw_ldm_shape *ret_shape);
bool sdw_openclip_name(const char *name, char *ret, size_t size, sdw_ldm_shape *ret_shape);

#endif
