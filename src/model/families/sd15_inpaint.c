/* sd15_inpaint.c - Stable Diffusion 1.x, inpainting (9 channels), 512x512 */
#include "model/families/published.h"
#include "model/family.h"

extern const sdw_family sdw_family_sd15_inpaint;

static bool detect(const sdw_checkpoint *file)
{
    return sdw_file_dim(file, SDW_KEY_CONV_IN, 1) == 9 && sdw_file_dim(file, SDW_KEY_CONTEXT, -1) == 768;
}

static bool matches(const sdw_family_traits *t)
{
    return t->in_channels == 9 && !t->second_text_encoder && t->context_width != 1024 && !t->openclip;
}

const sdw_family sdw_family_sd15_inpaint = {
    .name = "sd15-inpaint",
    .summary = "Stable Diffusion 1.x, inpainting (9 channels), 512x512",
    .detect = detect,
    .matches = matches,
    .rank = 30,
    .class_name = "StableDiffusionInpaintPipeline",
    .text_encoder = SDW_CLIP_L_CONFIG,
    .text_encoder_2 = "",
    .unet = SDW_SD1_UNET_CONFIG(9, 64),
    .vae = SDW_VAE_CONFIG(0.18215, 512),
    .scheduler = SDW_DDIM_CONFIG(epsilon),
    .pad_id = { 49407, 0 },
    .force_zeros_for_empty_prompt = false,
    .mends_scheduler = true,
    .prediction_is_a_guess = false,
    .defaults = { .steps = 20, .guidance = 7.5, .img2img_strength = 0.8, .inpaint_strength = 1.0 },
};
