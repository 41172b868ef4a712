// types.ts - bodies of the native API as the worker sends and takes them. Names are those of the wire.

export type JobKind = "image_generation" | "image_transform" | "image_inpaint";
export type JobStatus = "queued" | "running" | "completed" | "failed" | "cancelled";

/** A request. Beside the named fields every field of `/v1/capabilities` may be given under its own name. */
export interface JobRequest {
  operation?: JobKind;
  prompt: string;
  negative_prompt?: string | null;
  steps?: number;
  guidance_scale?: number;
  /** Whole numbers up to 2^64 - 1; above 2^53 give a bigint, which is sent digit for digit. */
  seed?: number | bigint | null;
  width?: number;
  height?: number;
  strength?: number;
  /** Base64, with or without a data: prefix. */
  input_image?: string;
  init_image?: string;
  /** White is painted anew. */
  mask_image?: string;
  num_samples?: number;
  sampler?: string;
  schedule?: string;
  preview_every?: number;
  preview?: "latent" | "vae" | "none";
  format?: "png" | "jpeg" | "webp";
  timeout_s?: number;
  model?: string;
  [field: string]: unknown;
}

export interface JobReply {
  job_id: string;
  sse_url: string;
}

export interface JobOutput {
  id: string;
  url: string;
  format: string;
  width: number;
  height: number;
  seed: number | bigint;
}

export interface JobState {
  job_id: string;
  sse_url: string;
  kind: JobKind;
  status: JobStatus;
  created_at?: string | null;
  started_at?: string | null;
  finished_at?: string | null;
  queue_position?: number | null;
  step: number;
  total: number;
  percent?: number;
  outputs?: JobOutput[];
  error?: { code: string; message: string };
  /** The request, where the worker tells it. */
  params?: Record<string, unknown>;
}

export interface ProgressEvent { type: "progress"; step: number; total: number; percent: number }
export interface PreviewEvent { type: "preview"; step: number; total: number; percent: number; image: string; format: string }
export interface NarrationEvent {
  type: "narration"; actor: string; action: string; human: string; job_id?: string; target?: string; formatted?: string; emitted_at_ms?: number;
}
export interface CompleteEvent {
  type: "complete"; image: string; format: string; seed: number | bigint; width: number; height: number; elapsed_ms: number; model: string;
  images?: string[]; seeds?: (number | bigint)[];
}
export interface ErrorEvent { type: "error"; code: string; message: string }
export interface CancelledEvent { type: "cancelled" }
/** What a job's stream brings, in order; exactly one of the last three comes last. */
export type JobEvent = ProgressEvent | PreviewEvent | NarrationEvent | CompleteEvent | ErrorEvent | CancelledEvent;

/** One field of a request, described by the worker. */
export interface FieldInfo {
  name: string;
  type: "text" | "int" | "real" | "seed" | "switch" | "choice" | "picture";
  default?: string | number | boolean | null;
  min?: number;
  max?: number;
  multiple?: number;
  choices?: string[];
  unit?: string;
  group?: string;
  help?: string;
}

export interface Capabilities {
  model_type: string;
  variant: string;
  img2img: boolean;
  inpainting: boolean;
  lora: boolean;
  default_size: [number, number];
  supported_sizes: [number, number][];
  default_steps: number;
  default_guidance?: number;
  supports_guidance: boolean;
  samplers: string[];
  schedules: string[];
  formats: string[];
  loras?: string[];
  fields: FieldInfo[];
  limits: Record<string, number>;
  devices: { id: string; name: string; device_type: string; vram_gb?: number; compute_capability?: string }[];
  model_pull?: boolean;
  model_delete?: boolean;
}

export interface Health { status: string; timestamp: string; worker_id?: string; model_version?: string; device?: string; uptime_seconds?: number; version?: string }

export interface ModelInfo { id: string; object: "model"; created: number; owned_by: string; status?: string; family?: string; dtype?: string; size_bytes?: number }
