/* model_index.json from a hub against a listing with a bit of everything; and the index of shards. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sdw_hub_listing listing;

static void fill_listing(void)
{
    static const char *const files[] = {
        "model_index.json", "README.md", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors", "unet/config.json",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors", "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json", "vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.bin", "transformer/config.json", "transformer/diffusion_pytorch_model-00001-of-00003.safetensors",
        "safety_checker/config.json", "safety_checker/model.safetensors",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (sdw_hub_listing_add(&listing, files[i], strlen(files[i]), i, "", "", NULL) != SDW_OK) abort();
    if (sdw_hub_listing_sort(&listing, NULL) != SDW_OK) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yyjson_doc *doc = NULL;
    sdw_hub_selection s = { 0 };
    sdw_warnings w = { 0 };
    if (!listing.count) fill_listing();
    if (sdw_json_parse((const char *)data, size, "fuzz", NULL, &doc, NULL) != SDW_OK) return 0;
    const sdw_hub_select_options o = { .safety_checker = size % 2 == 1 };
    if (sdw_hub_select(&listing, yyjson_doc_get_root(doc), &o, &s, &w, NULL) == SDW_OK) {
        for (size_t i = 0; i < s.count; i++)
            if (strstr(s.files[i]->path, ".bin") || strstr(s.files[i]->path, "README")) abort();
        sdw_hub_check_shards(&s, "unet/diffusion_pytorch_model.safetensors.index.json", yyjson_doc_get_root(doc), NULL);
    }
    sdw_hub_selection_finish(&s);
    sdw_warnings_finish(&w);
    yyjson_doc_free(doc);
    return 0;
}
