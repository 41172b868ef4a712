// generated.ts - the API as the worker's OpenAPI document tells it. Made by scripts/types.mjs (make ui-types): do not edit.

export interface Capabilities {
  model_type: string;
  /** null while no model is loaded */
  variant: string | null;
  /** of the heavy layers: f32, f16, bf16 or int8; null while no model is loaded */
  precision: string | null;
  img2img: boolean;
  inpainting: boolean;
  needs_mask: boolean;
  lora: boolean;
  controlnet: boolean;
  /** width, height */
  default_size: [number, number];
  supported_sizes: ([number, number])[];
  default_steps: number;
  default_guidance: number;
  supports_guidance: boolean;
  samplers: string[];
  schedules: string[];
  formats: string[];
  loras: string[];
  /** every field of a request */
  fields: FieldInfo[];
  limits: Limits;
  devices: Device[];
  /** whether this client may fetch models */
  model_pull: boolean;
  model_delete: boolean;
  shutdown: boolean;
}

export interface CompleteEvent {
  type: "complete";
  /** base64; the first of several */
  image: string;
  format: string;
  seed: number | bigint;
  width: number;
  height: number;
  /** from the start of the job */
  elapsed_ms: number;
  model: string;
  /** all of several */
  images?: string[];
  seeds?: (number | bigint)[];
}

export interface Device {
  id: string;
  name: string;
  device_type: string;
  /** the machine's memory on a CPU */
  vram_gb: number;
  compute_capability: string | null;
}

export interface ErrorEvent {
  type: "error";
  code: string;
  message: string;
}

export interface FieldInfo {
  name: string;
  type: "text" | "int" | "real" | "seed" | "switch" | "choice" | "picture";
  /** null: the worker decides */
  default: unknown;
  min?: number | null;
  /** of a text: characters */
  max?: number | null;
  multiple?: number;
  choices?: string[];
  unit?: string;
  group: string;
  help: string;
}

export interface Health {
  status: "healthy" | "unhealthy";
  timestamp: string;
  worker_id: string;
  model_version: string;
  device: string;
  uptime_seconds: number;
  vram_bytes: number;
  version: string;
}

export interface JobAccepted {
  job_id: string;
  /** where its events are */
  sse_url: string;
}

export interface JobCancelled {
  job_id: string;
  sse_url: string;
  status: "cancelled";
}

export interface JobError {
  code: string;
  message: string;
}

export type JobEvent = ProgressEvent | PreviewEvent | NarrationEvent | CompleteEvent | ErrorEvent;

export interface JobOutput {
  /** nobody can guess it: no key is asked for the picture */
  id: string;
  url: string;
  format: string;
  width: number;
  height: number;
  seed: number | bigint;
}

export interface JobPage {
  /** newest first */
  jobs: JobStatus[];
  /** null on the last page */
  next_cursor: string | null;
}

export interface JobRequest {
  /** inferred from the pictures when absent */
  operation?: "image_generation" | "image_transform" | "image_inpaint";
  /** another model of this machine, with --model-switch */
  model?: string;
  /** what the picture shows */
  prompt: string;
  /** what it should not show; absent and empty differ for SDXL */
  negative_prompt?: string | null;
  /** denoising steps */
  steps?: number;
  /** how strongly the prompt pulls; at 1 or below the negative prompt is not used */
  guidance_scale?: number;
  /** the same as guidance_scale */
  guidance?: number;
  /** width of the result */
  width?: number;
  /** height of the result */
  height?: number;
  /** how much of the picture is made anew: the share of the steps that run */
  strength?: number;
  /** start of the random numbers; the same seed, the same picture */
  seed?: number | bigint | null;
  /** picture to start from */
  init_image?: string;
  /** the same as init_image */
  input_image?: string;
  /** the same as init_image */
  image?: string;
  /** white is painted anew, black is kept */
  mask_image?: string;
  /** the same as mask_image */
  mask?: string;
  /** pictures to make, with the seeds that follow each other */
  num_samples?: number;
  /** the same as num_samples */
  count?: number;
  /** plain text, or weighted: (x:1.2), [x], BREAK */
  prompt_syntax?: string;
  /** cut a prompt at 75 tokens instead of going on in further chunks */
  truncate?: boolean;
  /** layers of the text encoder to leave out at its end */
  clip_skip?: number;
  /** share of the correction against overexposed guidance */
  guidance_rescale?: number;
  /** sampler; --list-samplers shows all names */
  sampler?: string;
  /** noise schedule; --list-samplers shows all names */
  schedule?: string;
  /** how the timesteps are laid out */
  spacing?: string;
  /** share of fresh noise (ddim), or gamma (tcd) */
  eta?: number;
  /** where the last step ends: at no noise or at the smallest trained noise */
  final_sigma?: string;
  /** whose random numbers a seed means */
  rng?: string;
  /** with count: seed+1, seed+2 ... for each picture, or one generator for all */
  rng_batch?: string;
  /** how a picture of another shape is fitted to width and height */
  resize?: string;
  /** black is painted anew instead */
  invert_mask?: boolean;
  /** radius of a soft edge of the mask */
  mask_blur?: number;
  /** work on the masked part alone, enlarged to width and height */
  inpaint_full_res?: boolean;
  /** surroundings that the masked part takes along */
  inpaint_full_res_padding?: number;
  /** give pixels outside the mask their original values back */
  paste_back?: boolean;
  /** a preview at the first step, every so many steps, and the last; 0 = never */
  preview_every?: number;
  /** how previews are made: from the latent's colours, or decoded in full */
  preview?: "latent" | "vae" | "none";
  /** file format of the pictures */
  format?: "png" | "jpeg" | "webp";
  /** quality of JPEG and WebP */
  quality?: number;
  /** time limit from the job's start, at most --job-timeout; 0 = that one */
  timeout_s?: number;
  [field: string]: unknown;
}

export interface JobStatus {
  job_id: string;
  /** where its events are */
  sse_url: string;
  kind: "image_generation" | "image_transform" | "image_inpaint";
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  /** which API it came by */
  face: string;
  model?: string;
  /** RFC 3339 */
  created_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  /** of a queued job, 1 = next */
  queue_position?: number;
  step: number;
  /** 0 before the job starts */
  total: number;
  percent: number;
  outputs: JobOutput[];
  /** of a failed job */
  error?: JobError;
  /** the request as it is kept, without pictures; in lists of outputs */
  params?: Record<string, unknown>;
}

export type Limits = Record<string, number>;

export interface LoadingEvent {
  stage: "downloading" | "loading_to_vram" | "ready" | "error";
  file?: string;
  files_done?: number;
  files_total?: number;
  bytes_done?: number;
  bytes_total?: number;
  bytes_per_second?: number;
  layers_loaded?: number;
  layers_total?: number;
  vram_mb?: number;
  message?: string;
}

export interface Model {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  status: "unloaded" | "loading" | "loaded" | "downloading" | "incomplete" | "failed";
  family: string | null;
  dtype: string | null;
  size_bytes: number;
  /** why it is incomplete, or why its download failed */
  message?: string;
}

export interface ModelChange {
  model: string;
  status: "loading" | "loaded" | "unloaded" | "downloading" | "deleted";
}

export interface ModelEvent {
  model: string;
  status: string;
  /** bytes */
  done?: number;
  /** bytes */
  total?: number;
  message?: string;
}

export interface ModelList {
  object: "list";
  data: Model[];
}

export interface ModelName {
  model: string;
  revision?: string;
  variant?: string;
}

export interface NarrationEvent {
  type: "narration";
  actor: string;
  action: string;
  /** one sentence */
  human: string;
  target: string;
  formatted: string;
  job_id: string;
  emitted_at_ms: number;
}

export interface OutputDeleted {
  id: string;
  deleted: boolean;
}

export interface PreviewEvent {
  type: "preview";
  /** from 1 */
  step: number;
  total: number;
  percent: number;
  /** base64 */
  image: string;
  format: string;
}

export interface ProgressEvent {
  type: "progress";
  /** from 1 */
  step: number;
  total: number;
  percent: number;
}

export interface Ready {
  ready: boolean;
  reason?: string;
  timestamp: string;
  state: "loading" | "idle" | "busy" | "error";
  model_loaded: boolean;
}

export interface ReadyState {
  ready: boolean;
  state: "loading" | "idle" | "busy" | "error";
  model_loaded?: boolean;
  /** while not ready */
  progress_url?: string;
}

export interface Refusal {
  error: JobError;
  /** every field at fault */
  errors?: Violation[];
}

export interface Violation {
  field: string;
  constraint: string;
  message: string;
  /** what was given */
  value?: string;
}

export interface WorkerInfo {
  id: string;
  model_id: string;
  device: string;
  port: number;
  status: string;
  implementation: string;
  version: string;
}

/** "METHOD path": what a route takes and gives. */
export interface Routes {
  "GET /v1/capabilities": { answer: Capabilities };
  "GET /v1/events": { query: { token?: string }; events: JobStatus };
  "GET /health": { answer: Health };
  "GET /ready": { answer: Ready };
  "GET /v1/ready": { answer: ReadyState };
  "GET /info": { answer: WorkerInfo };
  "POST /v1/inference": { body: JobRequest; answer: JobAccepted };
  "POST /v1/infer": { body: JobRequest; answer: JobAccepted };
  "GET /v1/inference/{id}/stream": { query: { format?: string; last_event_id?: string; ids?: number; token?: string }; events: JobEvent };
  "POST /v1/jobs": { body: JobRequest; answer: JobAccepted };
  "GET /v1/jobs": { query: { status?: string; limit?: number; cursor?: string }; answer: JobPage };
  "GET /v1/jobs/{id}": { answer: JobStatus };
  "DELETE /v1/jobs/{id}": { answer: JobCancelled };
  "GET /v1/jobs/{id}/stream": { query: { format?: string; last_event_id?: string; ids?: number; token?: string }; events: JobEvent };
  "GET /v1/loading/progress": { query: { token?: string }; events: LoadingEvent };
  "GET /v1/models": { answer: ModelList };
  "GET /v1/models/sse": { query: { token?: string }; events: ModelEvent };
  "GET /v1/models/{path}": { answer: Model };
  "DELETE /v1/models/{path}": { answer: ModelChange };
  "POST /v1/models/load": { body: ModelName; answer: ModelChange };
  "POST /v1/models/unload": { body: ModelName; answer: ModelChange };
  "POST /v1/models/pull": { body: ModelName; answer: ModelChange };
  "POST /models": { body: ModelName; answer: ModelChange };
  "POST /models/load": { body: ModelName; answer: ModelChange };
  "POST /models/unload": { body: ModelName; answer: ModelChange };
  "GET /models/sse": { query: { token?: string }; events: ModelEvent };
  "DELETE /models/{path}": { answer: ModelChange };
  "GET /v1/outputs": { query: { limit?: number; cursor?: string }; answer: JobPage };
  "DELETE /v1/outputs/{id}": { answer: OutputDeleted };
}
