/* family.c - the families, and which of them a file or a folder belongs to. */
#include "model/family.h"

#include <stdio.h>
#include <string.h>

#define X(name) extern const sdw_family sdw_family_##name;
#include "registry/families.inc"
#undef X

static const sdw_family *const families[] = {
#define X(name) &sdw_family_##name,
#include "registry/families.inc"
#undef X
};
#define FAMILIES ((int)(sizeof families / sizeof families[0]))

const sdw_family *const *sdw_families(int *ret_count)
{
    *ret_count = FAMILIES;
    return families;
}

const sdw_family *sdw_family_by_name(const char *name)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i]->name, name) == 0) return families[i];
    return NULL;
}

const sdw_family *sdw_family_of_traits(const sdw_family_traits *traits)
{
    const sdw_family *best = NULL;
    for (int i = 0; i < FAMILIES; i++)
        if (families[i]->matches(traits) && (!best || families[i]->rank < best->rank)) best = families[i];
    return best;
}

int64_t sdw_file_dim(const sdw_checkpoint *file, const char *name, int dim)
{
    const sdw_file_tensor *t = sdw_checkpoint_find(file, name);
    if (t && dim < 0) dim += t->rank;
    return t && dim >= 0 && dim < t->rank ? t->shape[dim] : 0;
}

/* Models that we know by a tensor and cannot run. First match wins. */
static const struct {
    const char *key;
    int dim;      /* -1 = the name alone says it */
    int64_t size; /* of that dimension */
    const char *what;
} refused[] = {
    { SDW_KEY_CONV_IN, 1, 8, "an InstructPix2Pix model (8 input channels)" },
    { SDW_KEY_CONV_IN, 1, 5, "a depth-to-image model (5 input channels)" },
    { SDW_KEY_CONV_IN, 1, 7, "an upscaler (7 input channels)" },
    { "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias", -1, 0, "the SDXL refiner" },
    { "edm_mean", -1, 0, "an SDXL model of another noise schedule (EDM)" },
    { "edm_vpred.sigma_max", -1, 0, "an SDXL model of another noise schedule (EDM)" },
    { "v_pred", -1, 0, "an SDXL model with v-prediction, whose configuration must be given with --config" },
    { "control_model.time_embed.0.weight", -1, 0, "a ControlNet, no complete model" },
    { "controlnet_cond_embedding.conv_in.weight", -1, 0, "a ControlNet, no complete model" },
    { "joint_blocks.0.context_block.adaLN_modulation.1.bias", -1, 0, "Stable Diffusion 3" },
    { "model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias", -1, 0, "Stable Diffusion 3" },
    { "single_stream_modulation.lin.weight", -1, 0, "FLUX.2" },
    { "model.diffusion_model.single_stream_modulation.lin.weight", -1, 0, "FLUX.2" },
    { "distilled_guidance_layer.in_proj.bias", -1, 0, "Chroma" },
    { "model.diffusion_model.distilled_guidance_layer.in_proj.bias", -1, 0, "Chroma" },
    { "double_blocks.0.img_attn.norm.key_norm.scale", -1, 0, "FLUX.1" },
    { "model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", -1, 0, "FLUX.1" },
    { "add_embedding.linear_1.weight", -1, 0, "the UNet of a diffusers folder; name the folder instead" },
    { "time_embedding.linear_1.weight", -1, 0, "the UNet of a diffusers folder; name the folder instead" },
    { "decoder.conv_norm_out.weight", -1, 0, "the VAE of a diffusers folder; name the folder instead" },
    { "decoder.norm_out.weight", -1, 0, "a VAE, no complete model" },
    { "text_model.final_layer_norm.weight", -1, 0, "a text encoder, no complete model" },
    { "final_layer_norm.weight", -1, 0, "a text encoder, no complete model" },
};

/* Adapters have too many layouts for one key: any name with one of these in it. */
static bool is_lora(const sdw_checkpoint *file)
{
    static const char *const signs[] = { "lora_unet_", "lora_te", ".lora_A.", ".lora_down.", ".lora.down." };
    for (size_t i = 0; i < sdw_checkpoint_count(file); i++) {
        const char *name = sdw_checkpoint_at(file, i)->name;
        for (size_t k = 0; k < sizeof signs / sizeof signs[0]; k++)
            if (strstr(name, signs[k])) return true;
    }
    return false;
}

static sdw_status refuse_known(const sdw_checkpoint *file, sdw_error *err)
{
    const char *path = sdw_checkpoint_path(file), *what = NULL;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0] && !what; i++) {
        bool there = sdw_checkpoint_find(file, refused[i].key) != NULL;
        if (there && (refused[i].dim < 0 || sdw_file_dim(file, refused[i].key, refused[i].dim) == refused[i].size))
            what = refused[i].what;
    }
    if (!what && is_lora(file)) what = "a LoRA, no complete model";
    if (!what) return SDW_OK;
    return sdw_fail(err, SDW_UNSUPPORTED, "%s: this is %s; want SD 1.x, SD 2.x or SDXL", path, what);
}

/* "absent", or the shape. */
static void describe(const sdw_checkpoint *file, const char *name, char *ret, size_t size)
{
    const sdw_file_tensor *t = sdw_checkpoint_find(file, name);
    size_t n = 0;
    if (!t) {
        snprintf(ret, size, "absent");
        return;
    }
    snprintf(ret, size, "scalar");
    for (int i = 0; i < t->rank && n < size; i++) n += (size_t)snprintf(ret + n, size - n, "%s%lld", i ? "x" : "", (long long)t->shape[i]);
}

sdw_status sdw_family_detect(const sdw_checkpoint *file, const sdw_family **ret, sdw_error *err)
{
    char conv_in[48], context[48];
    sdw_status s = refuse_known(file, err);
    if (s != SDW_OK) return s;
    const sdw_family *best = NULL;
    for (int i = 0; i < FAMILIES; i++)
        if (families[i]->detect && families[i]->detect(file) && (!best || families[i]->rank < best->rank)) best = families[i];
    if (best) {
        *ret = best;
        return SDW_OK;
    }
    describe(file, SDW_KEY_CONV_IN, conv_in, sizeof conv_in);
    describe(file, SDW_KEY_CONTEXT, context, sizeof context);
    return sdw_fail(err, SDW_UNSUPPORTED, "%s: not recognised; looked at %s (%s, want 4 or 9 inputs), %s (%s, want 768 or 1024 wide) and %s (%s); --config DIR names its configuration",
                    sdw_checkpoint_path(file), SDW_KEY_CONV_IN, conv_in, SDW_KEY_CONTEXT, context, SDW_KEY_XL,
                    sdw_checkpoint_find(file, SDW_KEY_XL) ? "there" : "absent");
}
