/* sd21.c - Stable Diffusion 2.x, text to image, v-prediction at 768x768 or epsilon at 512x512 */
#include "model/families/published.h"
#include "model/family.h"

extern const sdw_family sdw_family_sd21;

/* Nothing in a header tells v-prediction from epsilon, nor SD-Turbo from SD 2.1. */
static bool detect(const sdw_checkpoint *file)
{
    return sdw_file_dim(file, SDW_KEY_CONV_IN, 1) == 4 && sdw_file_dim(file, SDW_KEY_CONTEXT, -1) == 1024;
}

static bool matches(const sdw_family_traits *t)
{
    return t->in_channels == 4 && !t->second_text_encoder && (t->context_width == 1024 || t->openclip);
}

const sdw_family sdw_family_sd21 = {
    .name = "sd21",
    .summary = "Stable Diffusion 2.x, text to image, v-prediction at 768x768 or epsilon at 512x512",
    .detect = detect,
    .matches = matches,
    .rank = 60,
    .class_name = "StableDiffusionPipeline",
    .text_encoder = SDW_OPENCLIP_H_CONFIG,
    .text_encoder_2 = "",
    .unet = SDW_SD2_UNET_CONFIG(4, 96),
    .vae = SDW_VAE_CONFIG(0.18215, 768),
    .scheduler = SDW_DDIM_CONFIG(v_prediction),
    .pad_id = { 0, 0 },
    .force_zeros_for_empty_prompt = false,
    .mends_scheduler = true,
    .prediction_is_a_guess = true,
    .defaults = { .steps = 20, .guidance = 7.5, .img2img_strength = 0.8, .inpaint_strength = 1.0 },
};
