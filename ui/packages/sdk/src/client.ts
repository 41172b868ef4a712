// client.ts - one worker, seen from a program: submit, follow, cancel, look around.

import { errorOf, SDWorkerError } from "./errors.js";
import { follow, type FollowOptions } from "./follow.js";
import { parse, stringify } from "./json.js";
import { messagesOf } from "./sse.js";
import type { Routes } from "./generated.js";
import type {
  Capabilities, CompleteEvent, Health, JobEvent, JobPage, JobReply, JobRequest, JobState, JobStatus, ModelChange, ModelInfo,
} from "./types.js";

export interface ClientOptions {
  /** Bearer token; asked for at every request, so that it may change. */
  apiKey?: () => string | undefined;
  /** For tests and other runtimes. */
  fetch?: typeof fetch;
}

type Answer<R extends keyof Routes> = Routes[R] extends { answer: infer A } ? A : never;
type Body<R extends keyof Routes> = Routes[R] extends { body: infer B } ? { body: B } : { body?: never };
type Query<R extends keyof Routes> = Routes[R] extends { query: infer Q } ? { query?: Q } : { query?: never };
/** What a call gives beside the route: the name in its braces, the query, the body. */
type Given<R extends keyof Routes> = Body<R> & Query<R> & { name?: string; headers?: Record<string, string> };

export class SDWorkerClient {
  readonly baseUrl: string;
  private readonly send: typeof fetch;

  /** baseUrl: "" for the page's own origin, else such as "http://localhost:8081". workerId is kept for callers that have it. */
  constructor(baseUrl: string, readonly workerId: string = "", private readonly options: ClientOptions = {}) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.send = options.fetch ?? ((...a) => fetch(...a));
  }

  /** Path on the worker as an absolute URL, for links and <img>. */
  url(path: string): string {
    return this.baseUrl + path;
  }

  /** One request with the key; network failures become SDWorkerError with status 0. */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const key = this.options.apiKey?.();
    if (key) headers.set("Authorization", `Bearer ${key}`);
    try {
      return await this.send(this.url(path), { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new SDWorkerError("The worker cannot be reached", 0, "UNREACHABLE");
    }
  }

  /** One route of the document, with the types that it tells. */
  private async call<R extends keyof Routes>(route: R, given: Given<R>): Promise<Answer<R>> {
    const [method = "", pattern = ""] = route.split(" ");
    const path = pattern.replace(/\{\w+\}/, (given.name ?? "").split("/").map(encodeURIComponent).join("/")) + queryText(given.query ?? {});
    const init: RequestInit = given.body === undefined ? { method } : { method, body: stringify(given.body) };
    const answer = await this.request(path, { ...init, headers: { ...(init.body ? { "Content-Type": "application/json" } : {}), ...given.headers } });
    if (!answer.ok) throw await errorOf(answer);
    return parse(await answer.text()) as Answer<R>;
  }

  // ---- jobs ----

  /** Queues a request. The same idempotencyKey gives the same job again instead of a second one. */
  submit(request: JobRequest, idempotencyKey?: string): Promise<JobReply> {
    return this.call("POST /v1/jobs", { body: request, ...(idempotencyKey ? { headers: { "Idempotency-Key": idempotencyKey } } : {}) });
  }

  async submit_job(request: JobRequest): Promise<string> {
    return (await this.submit(request)).job_id;
  }

  /** Every event of a job from the first (or after options.after), resumed when the connection is lost. */
  follow(jobId: string, options: FollowOptions = {}): AsyncGenerator<JobEvent> {
    return follow((path, init) => this.request(path, init), `/v1/jobs/${encodeURIComponent(jobId)}/stream`, options);
  }

  /** The callback form of follow; resolves after the last event. */
  async stream_job(jobId: string, callback: (event: JobEvent) => void, options: FollowOptions = {}): Promise<void> {
    for await (const event of this.follow(jobId, options)) callback(event);
  }

  job(jobId: string): Promise<JobState> {
    return this.call("GET /v1/jobs/{id}", { name: jobId });
  }

  jobs(query: { status?: JobStatus; limit?: number; cursor?: string } = {}): Promise<JobPage> {
    return this.call("GET /v1/jobs", { query });
  }

  async cancel(jobId: string): Promise<void> {
    await this.call("DELETE /v1/jobs/{id}", { name: jobId });
  }

  /** Submits, follows to the end and returns the finished picture. Throws SDWorkerError on failure or cancel. */
  async generate(request: JobRequest, callback?: (event: JobEvent) => void, options: FollowOptions = {}): Promise<CompleteEvent> {
    const { job_id } = await this.submit(request);
    let complete: CompleteEvent | undefined;
    for await (const event of this.follow(job_id, options)) {
      callback?.(event);
      if (event.type === "complete") complete = event;
      if (event.type === "error") throw new SDWorkerError(event.message, 200, event.code);
      if (event.type === "cancelled") throw new SDWorkerError("Job was cancelled", 200, "CANCELLED");
    }
    if (!complete) throw new SDWorkerError("The job ended without a picture", 200, "INFERENCE_FAILED");
    return complete;
  }

  // Names that earlier clients of this protocol use.
  generateImage(request: JobRequest, callback?: (event: JobEvent) => void): Promise<CompleteEvent> {
    return this.generate(request, callback);
  }
  getJobStatus(jobId: string): Promise<JobState> {
    return this.job(jobId);
  }
  streamProgress(jobId: string, callback: (event: JobEvent) => void): Promise<void> {
    return this.stream_job(jobId, callback);
  }

  /** States of all jobs as they change, until the signal aborts or the connection ends; the caller opens it again. */
  async *events(signal?: AbortSignal): AsyncGenerator<JobState> {
    const answer = await this.request("/v1/events", { headers: { Accept: "text/event-stream" }, ...(signal ? { signal } : {}) });
    if (!answer.ok) throw await errorOf(answer);
    for await (const message of messagesOf(answer)) {
      if (message.event === "job") yield parse(message.data) as JobState;
    }
  }

  // ---- results ----

  outputs(query: { limit?: number; cursor?: string } = {}): Promise<JobPage> {
    return this.call("GET /v1/outputs", { query });
  }
  outputUrl(id: string, width?: number): string {
    return this.url(`/v1/outputs/${encodeURIComponent(id)}` + (width ? `?w=${width}` : ""));
  }
  async deleteOutput(id: string): Promise<void> {
    await this.call("DELETE /v1/outputs/{id}", { name: id });
  }

  // ---- the worker ----

  capabilities(): Promise<Capabilities> {
    return this.call("GET /v1/capabilities", {});
  }
  health(): Promise<Health> {
    return this.call("GET /health", {});
  }
  ready(): Promise<Answer<"GET /v1/ready">> {
    return this.call("GET /v1/ready", {});
  }
  info(): Promise<Answer<"GET /info">> {
    return this.call("GET /info", {});
  }
  async models(): Promise<ModelInfo[]> {
    return (await this.call("GET /v1/models", {})).data;
  }
  loadModel(model: string): Promise<ModelChange> {
    return this.call("POST /v1/models/load", { body: { model } });
  }
  unloadModel(model: string): Promise<ModelChange> {
    return this.call("POST /v1/models/unload", { body: { model } });
  }
  pullModel(model: string, revision?: string): Promise<ModelChange> {
    return this.call("POST /v1/models/pull", { body: revision ? { model, revision } : { model } });
  }
  async deleteModel(model: string): Promise<void> {
    await this.call("DELETE /v1/models/{path}", { name: model });
  }
}

function queryText(query: object): string {
  const parts = Object.entries(query).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`);
  return parts.length ? "?" + parts.join("&") : "";
}
