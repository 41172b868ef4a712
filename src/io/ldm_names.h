/* ldm_names.h - views of a single file in the original LDM naming ("model.diffusion_model.input_blocks.1.0...") under
 * diffusers names, and of older diffusers files under today's. For text encoders see clip_names.h. */
#ifndef SDW_IO_LDM_NAMES_H
#define SDW_IO_LDM_NAMES_H

#include "io/checkpoint.h"

/* "model.diffusion_model.*". resnets: layers_per_block of the UNet's configuration, which the numbering depends on.
 * A name that does not fit the scheme is left out (and so stays unused in file). The view may be empty. */
sdw_status sdw_ldm_unet_view(sdw_checkpoint *file, int resnets, sdw_checkpoint **ret, sdw_error *err);
/* "first_stage_model.*". Shapes stay as they are: LDM files hold the attention's matrices as 1x1 convolutions. */
sdw_status sdw_ldm_vae_view(sdw_checkpoint *file, sdw_checkpoint **ret, sdw_error *err);
/* What is named behind `prefix`, without it. */
sdw_status sdw_prefixed_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err);
/* The same for a VAE in diffusers names, of which old ones call the attention's matrices query, key, value and
 * proj_attn. prefix "" = the whole file. */
sdw_status sdw_diffusers_vae_view(sdw_checkpoint *file, const char *prefix, sdw_checkpoint **ret, sdw_error *err);
/* Marks as used what a checkpoint of a training run carries beside the model: averaged copies, noise tables, losses. */
void sdw_ldm_ignore_leftovers(sdw_checkpoint *file);

#endif
