/* ops.c - answers of the routes for those who run the service. */
#include "server/api_doc.h"

static const sdw_api_doc rows[] = {
    { .id = "livez", .answer_type = "text/plain", .answer_example = "ok\n" },
    { .id = "readyz", .answer_example = "{\"status\":\"ok\",\"reasons\":[]}",
      .argument = { { "verbose", "string", "Model, state and queue too.", false } } },
    { .id = "startupz", .answer_example = "{\"status\":\"ok\",\"reasons\":[]}",
      .argument = { { "verbose", "string", "Model, state and queue too.", false } } },
    { .id = "llamaHealth", .answer_example = "{\"status\":\"ok\"}" },
    { .id = "slots", .answer_schema = "Slots",
      .argument = { { "fail_on_no_slot", "integer", "1: 503 when every slot is busy.", false } } },
    { .id = "props", .answer_example = "{\"default_generation_settings\":{\"width\":512,\"height\":512,\"steps\":20,\"guidance_scale\":7.5,"
      "\"sampler\":\"pndm\"},\"total_slots\":4,\"model_path\":\"stable-diffusion-v1-5\",\"build_info\":\"sdw 0.1.0 (abc1234)\","
      "\"modalities\":{\"vision\":true,\"audio\":false},\"is_sleeping\":false}" },
    { .id = "metrics", .answer_type = "text/plain", .answer_example = "# HELP sdw_jobs_running Jobs that run.\n# TYPE sdw_jobs_running gauge\nsdw_jobs_running 1\n" },
    { .id = "docs", .answer_type = "text/html" },
};

static const sdw_api_schema schemas[] = {
    { .name = "Slots", .json = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},"
      "\"id_task\":{\"type\":[\"string\",\"null\"]},\"is_processing\":{\"type\":\"boolean\"},\"step\":{\"type\":\"integer\"},"
      "\"total\":{\"type\":\"integer\"},\"params\":{\"type\":\"object\"}},\"required\":[\"id\",\"is_processing\"]},"
      "\"examples\":[[{\"id\":0,\"id_task\":null,\"is_processing\":false,\"params\":{}}]]}" },
};

const sdw_api_docs sdw_api_docs_ops = { rows, sizeof rows / sizeof rows[0], schemas, sizeof schemas / sizeof schemas[0] };
