/* openai.c - bodies and answers of the OpenAI Images calls; JSON, and for edits and variations multipart too. */
#include "server/api_doc.h"

#define ANSWER "{\"created\":1763870000,\"data\":[{\"b64_json\":\"iVBORw0KGgo\",\"seed\":42}],\"output_format\":\"png\",\"size\":\"512x512\"}"

static const sdw_api_doc rows[] = {
    { .id = "createImage", .schema = "ImageGeneration", .example = "{\"prompt\":\"a photo of a cat\",\"n\":1,\"size\":\"512x512\",\"response_format\":\"b64_json\"}",
      .answer_example = ANSWER, .queues = true },
    { .id = "createImageEdit", .schema = "ImageEdit", .type = "multipart/form-data", .type2 = "application/json", .answer_example = ANSWER, .queues = true },
    { .id = "createImageVariation", .schema = "ImageVariation", .type = "multipart/form-data", .answer_example = ANSWER, .queues = true },
};

#define COMMON "\"model\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10}," \
    "\"size\":{\"type\":\"string\"},\"response_format\":{\"enum\":[\"b64_json\",\"url\"]}"
#define DRAWN COMMON ",\"prompt\":{\"type\":\"string\",\"maxLength\":32000},\"quality\":{\"type\":\"string\"}," \
    "\"output_format\":{\"enum\":[\"png\",\"jpeg\",\"webp\"]},\"output_compression\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":100}," \
    "\"stream\":{\"type\":\"boolean\"},\"partial_images\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":3}," \
    "\"negative_prompt\":{\"type\":\"string\"},\"steps\":{\"type\":\"integer\"},\"cfg_scale\":{\"type\":\"number\"},\"seed\":{\"type\":\"integer\"}"

static const sdw_api_schema schemas[] = {
    { .name = "ImageGeneration", .json = "{\"type\":\"object\",\"properties\":{" DRAWN "},\"required\":[\"prompt\"]}" },
    { .name = "ImageEdit", .json = "{\"type\":\"object\",\"properties\":{" DRAWN ",\"image\":{\"type\":\"string\",\"contentMediaType\":\"application/octet-stream\"},"
      "\"mask\":{\"type\":\"string\",\"contentMediaType\":\"application/octet-stream\"},\"images\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
      "\"strength\":{\"type\":\"number\"}},\"required\":[\"prompt\"]}" },
    { .name = "ImageVariation", .json = "{\"type\":\"object\",\"properties\":{" COMMON ",\"image\":{\"type\":\"string\",\"contentMediaType\":\"application/octet-stream\"}},"
      "\"required\":[\"image\"]}" },
};

const sdw_api_docs sdw_api_docs_openai = { rows, sizeof rows / sizeof rows[0], schemas, sizeof schemas / sizeof schemas[0] };
