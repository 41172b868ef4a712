/* native.c - bodies and answers of the native API. The request is written from the field table that bodies are read by. */
#include <math.h>
#include <stdio.h>

#include "server/api_doc.h"
#include "server/native_fields.h"

static void put_choices(yyjson_mut_doc *doc, yyjson_mut_val *schema, const sdw_native_field *f)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, schema, "enum");
    sdw_choice c;
    for (size_t i = 0; f->engine && sdw_field_choice(f->engine, i, &c); i++) yyjson_mut_arr_add_strcpy(doc, list, c.name);
    for (const char *const *name = f->engine ? NULL : f->row.choices; name && *name; name++) yyjson_mut_arr_add_strcpy(doc, list, *name);
    if (f->nullable) yyjson_mut_arr_add_null(doc, list);
    if (f->engine) yyjson_mut_obj_add_bool(doc, schema, "x-open", true); /* a registry: it grows */
}

static const char *type_of(sdw_field_type t)
{
    switch (t) {
    case SDW_FIELD_INT:
    case SDW_FIELD_SEED: return "integer";
    case SDW_FIELD_REAL: return "number";
    case SDW_FIELD_SWITCH: return "boolean";
    default: return "string";
    }
}

static void put_range(yyjson_mut_doc *doc, yyjson_mut_val *schema, const sdw_native_field *f)
{
    const sdw_field *row = &f->row;
    switch (row->type) {
    case SDW_FIELD_INT:
        yyjson_mut_obj_add_sint(doc, schema, "minimum", (int64_t)row->min);
        yyjson_mut_obj_add_sint(doc, schema, "maximum", (int64_t)row->max);
        if (row->multiple > 1) yyjson_mut_obj_add_int(doc, schema, "multipleOf", row->multiple);
        break;
    case SDW_FIELD_REAL:
        if (isfinite(row->min)) yyjson_mut_obj_add_real(doc, schema, "minimum", row->min);
        if (isfinite(row->max)) yyjson_mut_obj_add_real(doc, schema, "maximum", row->max);
        break;
    case SDW_FIELD_SEED:
        yyjson_mut_obj_add_int(doc, schema, "minimum", 0);
        yyjson_mut_obj_add_uint(doc, schema, "maximum", UINT64_MAX);
        break;
    case SDW_FIELD_TEXT:
        if (f->characters_max) yyjson_mut_obj_add_int(doc, schema, "maxLength", f->characters_max);
        break;
    case SDW_FIELD_CHOICE: put_choices(doc, schema, f); break;
    case SDW_FIELD_PICTURE: yyjson_mut_obj_add_str(doc, schema, "contentEncoding", "base64"); break;
    case SDW_FIELD_SWITCH: break;
    }
}

static void put_field(yyjson_mut_doc *doc, yyjson_mut_val *properties, const sdw_native_field *f)
{
    yyjson_mut_val *s = yyjson_mut_obj(doc);
    yyjson_mut_obj_add(properties, yyjson_mut_strcpy(doc, f->row.name), s);
    if (f->nullable) {
        yyjson_mut_val *types = yyjson_mut_obj_add_arr(doc, s, "type");
        yyjson_mut_arr_add_str(doc, types, type_of(f->row.type));
        yyjson_mut_arr_add_str(doc, types, "null");
    } else {
        yyjson_mut_obj_add_str(doc, s, "type", type_of(f->row.type));
    }
    yyjson_mut_obj_add_strcpy(doc, s, "description", f->row.help);
    put_range(doc, s, f);
}

/* Other names of the field; examples of older clients use them. */
static void put_synonyms(yyjson_mut_doc *doc, yyjson_mut_val *properties, const sdw_native_field *f)
{
    char help[96];
    for (int i = 0; i < SDW_NATIVE_SYNONYMS_MAX && f->synonyms[i]; i++) {
        snprintf(help, sizeof help, "the same as %s", f->row.name);
        yyjson_mut_val *s = yyjson_mut_obj(doc);
        yyjson_mut_obj_add(properties, yyjson_mut_strcpy(doc, f->synonyms[i]), s);
        yyjson_mut_obj_add_str(doc, s, "type", type_of(f->row.type));
        yyjson_mut_obj_add_strcpy(doc, s, "description", help);
    }
}

static yyjson_mut_val *write_request(yyjson_mut_doc *doc)
{
    static const char *const operations[] = { "image_generation", "image_transform", "image_inpaint", NULL };
    yyjson_mut_val *root = yyjson_mut_obj(doc), *properties = yyjson_mut_obj(doc);
    if (!root || !properties) return NULL;
    yyjson_mut_obj_add_str(doc, root, "type", "object");
    yyjson_mut_obj_add_val(doc, root, "properties", properties);
    yyjson_mut_val *operation = yyjson_mut_obj_add_obj(doc, properties, "operation");
    yyjson_mut_obj_add_str(doc, operation, "type", "string");
    yyjson_mut_obj_add_str(doc, operation, "description", "inferred from the pictures when absent");
    yyjson_mut_val *names = yyjson_mut_obj_add_arr(doc, operation, "enum");
    for (const char *const *name = operations; *name; name++) yyjson_mut_arr_add_str(doc, names, *name);
    yyjson_mut_val *model = yyjson_mut_obj_add_obj(doc, properties, "model");
    yyjson_mut_obj_add_str(doc, model, "type", "string");
    yyjson_mut_obj_add_str(doc, model, "description", "another model of this machine, with --model-switch");
    sdw_native_field f;
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) {
        put_field(doc, properties, &f);
        put_synonyms(doc, properties, &f);
    }
    yyjson_mut_arr_add_str(doc, yyjson_mut_obj_add_arr(doc, root, "required"), "prompt");
    yyjson_mut_obj_add_bool(doc, root, "additionalProperties", true); /* unknown ones are named in a narration, not refused */
    return root;
}

#define JOB "job-0f0e0d0c-0b0a-4908-8706-050403020100"
#define STATUS_BODY "{\"job_id\":\"" JOB "\",\"sse_url\":\"/v1/jobs/" JOB "/stream\"," \
    "\"kind\":\"image_generation\",\"status\":\"running\",\"face\":\"native\",\"created_at\":\"2025-11-03T21:00:00.123456789Z\"," \
    "\"started_at\":\"2025-11-03T21:00:00.2Z\",\"finished_at\":null,\"step\":3,\"total\":20,\"percent\":15.0,\"outputs\":[]}"
#define ACCEPTED "{\"job_id\":\"" JOB "\",\"sse_url\":\"/v1/jobs/" JOB "/stream\"}"
#define REQUEST "{\"operation\":\"image_generation\",\"prompt\":\"a photo of a cat\",\"steps\":20,\"seed\":42,\"width\":512,\"height\":512}"
#define EVENTS "event: progress\ndata: {\"percent\":5.0,\"step\":1,\"total\":20,\"type\":\"progress\"}\n\n"
#define IDEMPOTENCY { "Idempotency-Key", "string", "The same key and body give the same job again for 24 hours.", true }
#define SUBMIT(name) \
    { .id = name, .schema = "JobRequest", .example = REQUEST, .answer_schema = "JobAccepted", .answer_example = ACCEPTED, .queues = true, \
      .argument = { IDEMPOTENCY } }
#define STREAM(name) \
    { .id = name, .answer_type = "text/event-stream", .event_schema = "JobEvent", .answer_example = EVENTS, \
      .argument = { { "format", "string", "g1: the first generation's events; g2 is the default.", false }, \
                    { "last_event_id", "string", "As the header, for clients that cannot set it.", false }, \
                    { "ids", "integer", "1: events carry their numbers.", false }, \
                    { "Last-Event-ID", "string", "Only what has a higher number; 204 if nothing can follow.", true } } }
#define PAGED { "limit", "integer", "At most so many, 50 by default, 500 at most.", false }, \
              { "cursor", "string", "next_cursor of the page before.", false }
#define INLINE(name, body) \
    { .id = name, .schema = "JobRequest", .example = body, .answer_type = "text/event-stream", .queues = true, \
      .answer_example = "event: progress\ndata: {\"step\":1,\"total_steps\":30,\"percent\":3.3}\n\n" }

static const sdw_api_doc rows[] = {
    SUBMIT("submitJob"), SUBMIT("submitInference"), SUBMIT("submitInfer"),
    STREAM("streamJob"), STREAM("streamInference"),
    { .id = "allEvents", .answer_type = "text/event-stream", .event_schema = "JobStatus", .answer_example = "event: job\ndata: " STATUS_BODY "\n\n" },
    { .id = "loadingProgress", .answer_type = "text/event-stream", .event_schema = "LoadingEvent",
      .answer_example = "data: {\"stage\":\"loading_to_vram\",\"layers_loaded\":12,\"layers_total\":32,\"vram_mb\":2048}\n\n" },
    { .id = "getJob", .answer_schema = "JobStatus", .answer_example = STATUS_BODY },
    { .id = "cancelJob", .answer_schema = "JobCancelled", .answer_example = "{\"job_id\":\"" JOB "\",\"sse_url\":\"/v1/jobs/" JOB "/stream\",\"status\":\"cancelled\"}" },
    { .id = "listJobs", .answer_schema = "JobPage", .answer_example = "{\"jobs\":[" STATUS_BODY "],\"next_cursor\":null}",
      .argument = { { "status", "string", "queued, running, completed, failed or cancelled; `state` is the same.", false }, PAGED } },
    { .id = "listOutputs", .answer_schema = "JobPage", .answer_example = "{\"jobs\":[],\"next_cursor\":null}", .argument = { PAGED } },
    { .id = "deleteOutput", .answer_schema = "OutputDeleted", .answer_example = "{\"id\":\"00112233445566778899aabbccddeeff\",\"deleted\":true}" },
    { .id = "shutdown", .answer_example = "{\"status\":\"stopping\"}" },
    { .id = "capabilities", .answer_schema = "Capabilities", .answer_example = "{\"model_type\":\"stable-diffusion\",\"variant\":\"sd1.5\",\"img2img\":true,\"inpainting\":true,"
      "\"default_size\":[512,512],\"default_steps\":20,\"samplers\":[\"euler\"],\"formats\":[\"png\",\"jpeg\",\"webp\"]}" },
    { .id = "info", .answer_schema = "WorkerInfo", .answer_example = "{\"id\":\"sd-worker-8081\",\"model_id\":\"demo\",\"device\":\"cpu:0\",\"port\":8081,\"status\":\"ready\","
      "\"implementation\":\"sd-worker\",\"version\":\"0.1.0\"}" },
    { .id = "readyState", .answer_schema = "ReadyState", .answer_example = "{\"ready\":true,\"state\":\"idle\",\"model_loaded\":true}" },
    { .id = "getOutput", .answer_type = "image/png", .argument = { { "w", "integer", "A JPEG of at most this width.", false } } },
    INLINE("executeGeneration", "{\"prompt\":\"a photo of a cat\",\"steps\":30,\"seed\":1}"),
    INLINE("executeTransform", "{\"prompt\":\"oil painting\",\"image\":\"iVBORw0KGgo\",\"strength\":0.8}"),
    INLINE("executeInpaint", "{\"prompt\":\"a red car\",\"image\":\"iVBORw0KGgo\",\"mask\":\"iVBORw0KGgo\"}"),
    { .id = "health", .answer_schema = "Health", .answer_example = "{\"status\":\"healthy\",\"timestamp\":\"2025-11-03T21:00:00.123456789+00:00\",\"worker_id\":\"sd-worker-8081\"}" },
    { .id = "ready", .answer_schema = "Ready", .answer_example = "{\"ready\":true,\"timestamp\":\"2025-11-03T21:00:00.123456789+00:00\",\"state\":\"idle\",\"model_loaded\":true}" },
    { .id = "page", .answer_type = "text/html" },
    { .id = "pageFile", .answer_type = "text/html" },
    { .id = "pageStyle", .answer_type = "text/css" },
    { .id = "pageScript", .answer_type = "text/javascript" },
    { .id = "pageIcon", .answer_type = "image/svg+xml" },
    { .id = "pageAsset", .answer_type = "application/octet-stream" },
};

static const sdw_api_schema schemas[] = {
    { .name = "JobRequest", .write = write_request },
};

const sdw_api_docs sdw_api_docs_native = { rows, sizeof rows / sizeof rows[0], schemas, sizeof schemas / sizeof schemas[0] };
