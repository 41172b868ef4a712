/* bodies.c - what answers and events of the native API hold, field by field. The types of the TypeScript client are made
 * from this (ui/packages/sdk); its tests hold real answers against it, both ways. */
#include "server/api_doc.h"

#define ROWS static const sdw_api_property
#define END { .name = NULL }
#define STATUSES "=queued,running,completed,failed,cancelled"
#define KINDS "=image_generation,image_transform,image_inpaint"

/* ---- jobs ---- */

ROWS job_accepted[] = { { "job_id", "string", NULL }, { "sse_url", "string", "where its events are" }, END };
ROWS job_cancelled[] = { { "job_id", "string", NULL }, { "sse_url", "string", NULL }, { "status", "=cancelled", NULL }, END };
ROWS job_output[] = {
    { "id", "string", "nobody can guess it: no key is asked for the picture" }, { "url", "string", NULL },
    { "format", "string", NULL }, { "width", "integer", NULL }, { "height", "integer", NULL }, { "seed", "seed", NULL }, END,
};
ROWS job_error[] = { { "code", "string", NULL }, { "message", "string", NULL }, END };
ROWS job_status[] = {
    { "job_id", "string", NULL }, { "sse_url", "string", "where its events are" }, { "kind", KINDS, NULL }, { "status", STATUSES, NULL },
    { "face", "string", "which API it came by" }, { "model?", "string", NULL },
    { "created_at", "string|null", "RFC 3339" }, { "started_at", "string|null", NULL }, { "finished_at", "string|null", NULL },
    { "queue_position?", "integer", "of a queued job, 1 = next" },
    { "step", "integer", NULL }, { "total", "integer", "0 before the job starts" }, { "percent", "number", NULL },
    { "outputs", "JobOutput[]", NULL }, { "error?", "JobError", "of a failed job" },
    { "params?", "object", "the request as it is kept, without pictures; in lists of outputs" }, END,
};
ROWS job_page[] = { { "jobs", "JobStatus[]", "newest first" }, { "next_cursor", "string|null", "null on the last page" }, END };
ROWS output_deleted[] = { { "id", "string", NULL }, { "deleted", "boolean", NULL }, END };

/* ---- events of a job; the stream ends with a marker that is no JSON ---- */

#define PROGRESS { "step", "integer", "from 1" }, { "total", "integer", NULL }, { "percent", "number", NULL }
ROWS progress_event[] = { { "type", "=progress", NULL }, PROGRESS, END };
ROWS preview_event[] = { { "type", "=preview", NULL }, PROGRESS, { "image", "string", "base64" }, { "format", "string", NULL }, END };
ROWS narration_event[] = {
    { "type", "=narration", NULL }, { "actor", "string", NULL }, { "action", "string", NULL }, { "human", "string", "one sentence" },
    { "target", "string", NULL }, { "formatted", "string", NULL }, { "job_id", "string", NULL }, { "emitted_at_ms", "integer", NULL }, END,
};
ROWS complete_event[] = {
    { "type", "=complete", NULL }, { "image", "string", "base64; the first of several" }, { "format", "string", NULL }, { "seed", "seed", NULL },
    { "width", "integer", NULL }, { "height", "integer", NULL }, { "elapsed_ms", "integer", "from the start of the job" },
    { "model", "string", NULL }, { "images?", "string[]", "all of several" }, { "seeds?", "seed[]", NULL }, END,
};
ROWS error_event[] = { { "type", "=error", NULL }, { "code", "string", NULL }, { "message", "string", NULL }, END };

/* ---- refusals ---- */

ROWS violation[] = {
    { "field", "string", NULL }, { "constraint", "string", NULL }, { "message", "string", NULL }, { "value?", "string", "what was given" }, END,
};
ROWS refusal[] = { { "error", "JobError", NULL }, { "errors?", "Violation[]", "every field at fault" }, END };

/* ---- the worker ---- */

ROWS field_info[] = {
    { "name", "string", NULL }, { "type", "=text,int,real,seed,switch,choice,picture", NULL }, { "default", "any", "null: the worker decides" },
    { "min?", "number|null", NULL }, { "max?", "number|null", "of a text: characters" }, { "multiple?", "integer", NULL },
    { "choices?", "string[]", NULL }, { "unit?", "string", NULL }, { "group", "string", NULL }, { "help", "string", NULL }, END,
};
ROWS device[] = {
    { "id", "string", NULL }, { "name", "string", NULL }, { "device_type", "string", NULL }, { "vram_gb", "number", "the machine's memory on a CPU" },
    { "compute_capability", "string|null", NULL }, END,
};
ROWS capabilities[] = {
    { "model_type", "string", NULL }, { "variant", "string|null", "null while no model is loaded" },
    { "precision", "string|null", "of the heavy layers: f32, f16, bf16 or int8; null while no model is loaded" },
    { "img2img", "boolean", NULL }, { "inpainting", "boolean", NULL }, { "needs_mask", "boolean", NULL }, { "lora", "boolean", NULL },
    { "controlnet", "boolean", NULL }, { "default_size", "integer[2]", "width, height" }, { "supported_sizes", "integer[2][]", NULL },
    { "default_steps", "integer", NULL }, { "default_guidance", "number", NULL }, { "supports_guidance", "boolean", NULL },
    { "samplers", "string[]", NULL }, { "schedules", "string[]", NULL }, { "formats", "string[]", NULL }, { "loras", "string[]", NULL },
    { "fields", "FieldInfo[]", "every field of a request" }, { "limits", "Limits", NULL }, { "devices", "Device[]", NULL },
    { "model_pull", "boolean", "whether this client may fetch models" }, { "model_delete", "boolean", NULL }, { "shutdown", "boolean", NULL }, END,
};
ROWS health[] = {
    { "status", "=healthy,unhealthy", NULL }, { "timestamp", "string", NULL }, { "worker_id", "string", NULL }, { "model_version", "string", NULL },
    { "device", "string", NULL }, { "uptime_seconds", "integer", NULL }, { "vram_bytes", "integer", NULL }, { "version", "string", NULL }, END,
};
#define STATES "=loading,idle,busy,error"
ROWS ready[] = {
    { "ready", "boolean", NULL }, { "reason?", "string", NULL }, { "timestamp", "string", NULL }, { "state", STATES, NULL },
    { "model_loaded", "boolean", NULL }, END,
};
ROWS ready_state[] = {
    { "ready", "boolean", NULL }, { "state", STATES, NULL }, { "model_loaded?", "boolean", NULL }, { "progress_url?", "string", "while not ready" }, END,
};
ROWS worker_info[] = {
    { "id", "string", NULL }, { "model_id", "string", NULL }, { "device", "string", NULL }, { "port", "integer", NULL }, { "status", "string", NULL },
    { "implementation", "string", NULL }, { "version", "string", NULL }, END,
};
ROWS loading_event[] = {
    { "stage", "=downloading,loading_to_vram,ready,error", NULL },
    { "file?", "string", NULL }, { "files_done?", "integer", NULL }, { "files_total?", "integer", NULL },
    { "bytes_done?", "integer", NULL }, { "bytes_total?", "integer", NULL }, { "bytes_per_second?", "integer", NULL },
    { "layers_loaded?", "integer", NULL }, { "layers_total?", "integer", NULL }, { "vram_mb?", "integer", NULL }, { "message?", "string", NULL }, END,
};

/* ---- models ---- */

#define MODEL_STATUSES "=unloaded,loading,loaded,downloading,incomplete,failed"
ROWS model[] = {
    { "id", "string", NULL }, { "object", "=model", NULL }, { "created", "integer", NULL }, { "owned_by", "string", NULL },
    { "status", MODEL_STATUSES, NULL }, { "family", "string|null", NULL }, { "dtype", "string|null", NULL }, { "size_bytes", "integer", NULL },
    { "message?", "string", "why it is incomplete, or why its download failed" }, END,
};
ROWS model_list[] = { { "object", "=list", NULL }, { "data", "Model[]", NULL }, END };
ROWS model_name[] = { { "model", "string", NULL }, { "revision?", "string", NULL }, { "variant?", "string", NULL }, END };
ROWS model_change[] = { { "model", "string", NULL }, { "status", "=loading,loaded,unloaded,downloading,deleted", NULL }, END };
ROWS model_event[] = {
    { "model", "string", NULL }, { "status", "string", NULL }, { "done?", "integer", "bytes" }, { "total?", "integer", "bytes" },
    { "message?", "string", NULL }, END,
};

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
static const sdw_api_schema schemas[] = {
    { .name = "JobAccepted", .shape = job_accepted }, { .name = "JobCancelled", .shape = job_cancelled },
    { .name = "JobOutput", .shape = job_output }, { .name = "JobError", .shape = job_error },
    { .name = "JobStatus", .shape = job_status }, { .name = "JobPage", .shape = job_page },
    { .name = "OutputDeleted", .shape = output_deleted },
    { .name = "ProgressEvent", .shape = progress_event }, { .name = "PreviewEvent", .shape = preview_event },
    { .name = "NarrationEvent", .shape = narration_event }, { .name = "CompleteEvent", .shape = complete_event },
    { .name = "ErrorEvent", .shape = error_event },
    { .name = "JobEvent", .json = "{\"oneOf\":[" REF("ProgressEvent") "," REF("PreviewEvent") "," REF("NarrationEvent") ","
      REF("CompleteEvent") "," REF("ErrorEvent") "],\"discriminator\":{\"propertyName\":\"type\",\"mapping\":{"
      "\"progress\":\"#/components/schemas/ProgressEvent\",\"preview\":\"#/components/schemas/PreviewEvent\","
      "\"narration\":\"#/components/schemas/NarrationEvent\",\"complete\":\"#/components/schemas/CompleteEvent\","
      "\"error\":\"#/components/schemas/ErrorEvent\"}}}" },
    { .name = "Violation", .shape = violation }, { .name = "Refusal", .shape = refusal },
    { .name = "FieldInfo", .shape = field_info }, { .name = "Device", .shape = device },
    { .name = "Limits", .json = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}}" },
    { .name = "Capabilities", .shape = capabilities }, { .name = "Health", .shape = health }, { .name = "Ready", .shape = ready },
    { .name = "ReadyState", .shape = ready_state }, { .name = "WorkerInfo", .shape = worker_info },
    { .name = "LoadingEvent", .shape = loading_event },
    { .name = "Model", .shape = model }, { .name = "ModelList", .shape = model_list }, { .name = "ModelName", .shape = model_name },
    { .name = "ModelChange", .shape = model_change }, { .name = "ModelEvent", .shape = model_event },
};

const sdw_api_docs sdw_api_docs_bodies = { NULL, 0, schemas, sizeof schemas / sizeof schemas[0] };
