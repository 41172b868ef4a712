/* sdxl_turbo.c - SDXL-Turbo: Stable Diffusion XL distilled to 1 to 4 steps, 512x512 */
#include "model/families/published.h"
#include "model/family.h"

extern const sdw_family sdw_family_sdxl_turbo;

/* As a single file it cannot be told from SDXL: it needs its folder or --config. Ancestral: XL models that were only
 * retrained with trailing timesteps ship with plain Euler. */
static bool matches(const sdw_family_traits *t)
{
    return t->in_channels == 4 && t->second_text_encoder && t->trailing && t->ancestral && !t->v_prediction;
}

const sdw_family sdw_family_sdxl_turbo = {
    .name = "sdxl-turbo",
    .summary = "SDXL-Turbo: Stable Diffusion XL distilled to 1 to 4 steps, 512x512",
    .detect = NULL,
    .matches = matches,
    .rank = 40,
    .class_name = "StableDiffusionXLPipeline",
    .text_encoder = SDW_CLIP_L_CONFIG,
    .text_encoder_2 = SDW_OPENCLIP_G_CONFIG,
    .unet = SDW_XL_UNET_CONFIG(4, 64),
    .vae = SDW_VAE_CONFIG(0.13025, 1024),
    .scheduler = SDW_EULER_CONFIG(EulerAncestralDiscreteScheduler, trailing, 1),
    .pad_id = { 49407, 0 },
    .force_zeros_for_empty_prompt = true,
    .prediction_is_a_guess = false,
    .defaults = { .steps = 4, .guidance = 0.0, .img2img_strength = 0.5, .inpaint_strength = 0.9999 },
};
