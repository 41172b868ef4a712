/* sdapi.c - bodies and answers of AUTOMATIC1111's routes: what clients send most, by example; every parameter and what
 * becomes of it is in docs/api.md. */
#include "server/api_doc.h"

#define PICTURES "{\"images\":[\"iVBORw0KGgo\"],\"parameters\":{\"prompt\":\"a photo of a cat\",\"steps\":20},\"info\":\"{\\\"seed\\\":42}\"}"
#define ENLARGED "{\"html_info\":\"\",\"image\":\"iVBORw0KGgo\"}"

static const sdw_api_doc rows[] = {
    { .id = "sdapiTxt2img", .schema = "SdapiTxt2img", .answer_schema = "SdapiPictures", .answer_example = PICTURES, .queues = true,
      .example = "{\"prompt\":\"a photo of a cat\",\"negative_prompt\":\"\",\"steps\":20,\"cfg_scale\":7.0,\"width\":512,\"height\":512,\"seed\":42,\"sampler_name\":\"Euler a\"}" },
    { .id = "sdapiImg2img", .schema = "SdapiImg2img", .answer_schema = "SdapiPictures", .answer_example = PICTURES, .queues = true,
      .example = "{\"init_images\":[\"iVBORw0KGgo\"],\"prompt\":\"oil painting\",\"denoising_strength\":0.75}" },
    { .id = "sdapiProgress", .answer_example = "{\"progress\":0.31,\"eta_relative\":4.2,\"state\":{\"job_count\":1,\"sampling_step\":6,\"sampling_steps\":20},"
      "\"current_image\":null,\"textinfo\":null}",
      .argument = { { "skip_current_image", "boolean", "Without the preview.", false }, { "id_task", "string", "Of the request with this force_task_id.", false } } },
    { .id = "sdapiOptions", .answer_example = "{\"sd_model_checkpoint\":\"demo\",\"samples_format\":\"png\",\"CLIP_stop_at_last_layers\":1}" },
    { .id = "sdapiSetOptions", .schema = "SdapiOptions", .example = "{\"samples_format\":\"webp\"}", .answer_example = "null", .answer_schema = "SdapiNothing" },
    { .id = "sdapiSamplers", .answer_schema = "SdapiList", .answer_example = "[{\"name\":\"Euler a\",\"aliases\":[\"k_euler_a\"],\"options\":{}}]" },
    { .id = "sdapiSchedulers", .answer_schema = "SdapiList", .answer_example = "[{\"name\":\"karras\",\"label\":\"Karras\",\"aliases\":null,\"default_rho\":7.0,\"need_inner_model\":false}]" },
    { .id = "sdapiModels", .answer_schema = "SdapiList", .answer_example = "[{\"title\":\"demo\",\"model_name\":\"demo\",\"hash\":null,\"sha256\":null,\"filename\":\"demo\",\"config\":null}]" },
    { .id = "sdapiPngInfo", .schema = "SdapiImage", .example = "{\"image\":\"iVBORw0KGgo\"}", .answer_example = "{\"info\":\"a photo of a cat\\nSteps: 20, Seed: 42\",\"items\":{},\"parameters\":{}}" },
    { .id = "sdapiExtraSingle", .schema = "SdapiImage", .example = "{\"image\":\"iVBORw0KGgo\",\"upscaling_resize\":2,\"upscaler_1\":\"Lanczos\"}", .answer_example = ENLARGED },
    { .id = "sdapiInterrupt", .answer_example = "{}" },
};

#define REQUEST "\"prompt\":{\"type\":[\"string\",\"null\"]},\"negative_prompt\":{\"type\":[\"string\",\"null\"]},\"seed\":{\"type\":[\"integer\",\"null\"]}," \
    "\"sampler_name\":{\"type\":[\"string\",\"null\"]},\"scheduler\":{\"type\":[\"string\",\"null\"]},\"steps\":{\"type\":[\"integer\",\"null\"]}," \
    "\"cfg_scale\":{\"type\":[\"number\",\"null\"]},\"width\":{\"type\":[\"integer\",\"null\"]},\"height\":{\"type\":[\"integer\",\"null\"]}," \
    "\"batch_size\":{\"type\":[\"integer\",\"null\"]},\"n_iter\":{\"type\":[\"integer\",\"null\"]},\"denoising_strength\":{\"type\":[\"number\",\"null\"]}," \
    "\"override_settings\":{\"type\":[\"object\",\"null\"]}"

static const sdw_api_schema schemas[] = {
    { .name = "SdapiTxt2img", .json = "{\"type\":\"object\",\"properties\":{" REQUEST "}}" },
    { .name = "SdapiImg2img", .json = "{\"type\":\"object\",\"properties\":{" REQUEST ",\"init_images\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
      "\"mask\":{\"type\":[\"string\",\"null\"]},\"mask_blur\":{\"type\":[\"integer\",\"null\"]},\"inpainting_fill\":{\"type\":[\"integer\",\"null\"]}}}" },
    { .name = "SdapiPictures", .json = "{\"type\":\"object\",\"properties\":{\"images\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"parameters\":{\"type\":\"object\"},"
      "\"info\":{\"type\":\"string\",\"description\":\"an object as JSON text\"}},\"required\":[\"images\",\"parameters\",\"info\"]}" },
    { .name = "SdapiOptions", .json = "{\"type\":\"object\",\"description\":\"any of the options; unknown ones are ignored\"}" },
    { .name = "SdapiNothing", .json = "{\"type\":\"null\"}" },
    { .name = "SdapiList", .json = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}" },
    { .name = "SdapiImage", .json = "{\"type\":\"object\",\"properties\":{\"image\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
      "\"upscaling_resize\":{\"type\":\"number\"},\"upscaler_1\":{\"type\":\"string\"}},\"required\":[\"image\"]}" },
};

const sdw_api_docs sdw_api_docs_sdapi = { rows, sizeof rows / sizeof rows[0], schemas, sizeof schemas / sizeof schemas[0] };
