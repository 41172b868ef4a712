/* sdxl_inpaint.c - Stable Diffusion XL, inpainting (9 channels), 1024x1024 */
#include "model/families/published.h"
#include "model/family.h"

extern const sdw_family sdw_family_sdxl_inpaint;

static bool detect(const sdw_checkpoint *file)
{
    return sdw_file_dim(file, SDW_KEY_CONV_IN, 1) == 9 && sdw_checkpoint_find(file, SDW_KEY_XL);
}

static bool matches(const sdw_family_traits *t)
{
    return t->in_channels == 9 && t->second_text_encoder;
}

const sdw_family sdw_family_sdxl_inpaint = {
    .name = "sdxl-inpaint",
    .summary = "Stable Diffusion XL, inpainting (9 channels), 1024x1024",
    .detect = detect,
    .matches = matches,
    .rank = 10,
    .class_name = "StableDiffusionXLInpaintPipeline",
    .text_encoder = SDW_CLIP_L_CONFIG,
    .text_encoder_2 = SDW_OPENCLIP_G_CONFIG,
    .unet = SDW_XL_UNET_CONFIG(9, 128),
    .vae = SDW_VAE_CONFIG(0.13025, 1024),
    .scheduler = SDW_EULER_CONFIG(EulerDiscreteScheduler, leading, 1),
    .pad_id = { 49407, 0 },
    .force_zeros_for_empty_prompt = true,
    .prediction_is_a_guess = false,
    .defaults = { .steps = 20, .guidance = 7.5, .img2img_strength = 0.3, .inpaint_strength = 0.9999 },
};
