/* models.c - bodies and answers of the routes for models. */
#include "server/api_doc.h"

#define MODEL "{\"id\":\"demo\",\"object\":\"model\",\"created\":1763870000,\"owned_by\":\"sd-worker\",\"status\":\"loaded\",\"family\":\"sd1.5\"," \
    "\"dtype\":\"F16\",\"size_bytes\":29000000}"
#define LIST(name) { .id = name, .answer_schema = "ModelList", .answer_example = "{\"object\":\"list\",\"data\":[" MODEL "]}" }
#define ONE(name) { .id = name, .schema = "ModelName", .example = "{\"model\":\"demo\"}", .answer_schema = "ModelChange", .answer_example = "{\"model\":\"demo\",\"status\":\"loaded\"}" }
#define EVENTS(name) { .id = name, .answer_type = "text/event-stream", .event_schema = "ModelEvent", .answer_example = "event: model_status\ndata: {\"model\":\"demo\",\"status\":\"loaded\"}\n\n" }

static const sdw_api_doc rows[] = {
    LIST("listModels"), LIST("listModelsShort"),
    { .id = "getModel", .answer_schema = "Model", .answer_example = MODEL },
    ONE("loadModel"), ONE("loadModelShort"), ONE("unloadModel"), ONE("unloadModelShort"), ONE("pullModel"), ONE("pullModelShort"),
    EVENTS("modelEvents"), EVENTS("modelEventsShort"),
    { .id = "deleteModel", .answer_schema = "ModelChange", .answer_example = "{\"model\":\"demo\",\"status\":\"deleted\"}" },
    { .id = "deleteModelShort", .answer_schema = "ModelChange", .answer_example = "{\"model\":\"demo\",\"status\":\"deleted\"}" },
};

const sdw_api_docs sdw_api_docs_models = { rows, sizeof rows / sizeof rows[0], NULL, 0 };
