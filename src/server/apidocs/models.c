/* models.c - bodies and answers of the routes for models. */
#include "server/api_doc.h"

#define MODEL "{\"id\":\"demo\",\"object\":\"model\",\"created\":1763870000,\"owned_by\":\"local\",\"status\":\"loaded\"}"
#define LIST(name) { .id = name, .answer_example = "{\"object\":\"list\",\"data\":[" MODEL "]}" }
#define ONE(name) { .id = name, .schema = "ModelName", .example = "{\"model\":\"demo\"}", .answer_example = "{\"model\":\"demo\",\"status\":\"loaded\"}" }
#define EVENTS(name) { .id = name, .answer_type = "text/event-stream", .answer_example = "event: model_status\ndata: {\"model\":\"demo\",\"status\":\"loaded\"}\n\n" }

static const sdw_api_doc rows[] = {
    LIST("listModels"), LIST("listModelsShort"),
    { .id = "getModel", .answer_example = MODEL },
    ONE("loadModel"), ONE("loadModelShort"), ONE("unloadModel"), ONE("unloadModelShort"), ONE("pullModel"), ONE("pullModelShort"),
    EVENTS("modelEvents"), EVENTS("modelEventsShort"),
};

static const sdw_api_schema schemas[] = {
    { .name = "ModelName", .json = "{\"type\":\"object\",\"properties\":{\"model\":{\"type\":\"string\"},\"revision\":{\"type\":\"string\"},\"variant\":{\"type\":\"string\"}},"
      "\"required\":[\"model\"]}" },
};

const sdw_api_docs sdw_api_docs_models = { rows, sizeof rows / sizeof rows[0], schemas, sizeof schemas / sizeof schemas[0] };
