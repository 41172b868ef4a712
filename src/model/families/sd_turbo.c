/* sd_turbo.c - SD-Turbo: Stable Diffusion 2.1 distilled to 1 to 4 steps, 512x512 */
#include "model/families/published.h"
#include "model/family.h"

extern const sdw_family sdw_family_sd_turbo;

/* As a single file it cannot be told from SD 2.1: it needs its folder or --config. */
static bool matches(const sdw_family_traits *t)
{
    return t->in_channels == 4 && !t->second_text_encoder && (t->context_width == 1024 || t->openclip) && t->trailing && t->euler &&
           !t->v_prediction;
}

const sdw_family sdw_family_sd_turbo = {
    .name = "sd-turbo",
    .summary = "SD-Turbo: Stable Diffusion 2.1 distilled to 1 to 4 steps, 512x512",
    .detect = NULL,
    .matches = matches,
    .rank = 45,
    .class_name = "StableDiffusionPipeline",
    .text_encoder = SDW_OPENCLIP_H_CONFIG,
    .text_encoder_2 = "",
    .unet = SDW_SD2_UNET_CONFIG(4, 64),
    .vae = SDW_VAE_CONFIG(0.18215, 768),
    .scheduler = SDW_EULER_CONFIG(EulerDiscreteScheduler, trailing, 1),
    .pad_id = { 0, 0 },
    .force_zeros_for_empty_prompt = false,
    .mends_scheduler = true,
    .prediction_is_a_guess = false,
    .defaults = { .steps = 4, .guidance = 0.0, .img2img_strength = 0.5, .inpaint_strength = 1.0 },
};
