// The worker's answers against its own description, from which the client's types are made.

import { afterAll, beforeAll, expect, test } from "vitest";
import { messagesOf, parseJson, SDWorkerClient } from "../../src/index.js";
import { startServer, type Server } from "./harness.js";
import { breaches, type Schema } from "./schema.js";

type Operation = { requestBody?: unknown; responses: Record<string, { content?: Record<string, { schema: Schema & { "x-event-data"?: string } }> }> };
let server: Server;
let client: SDWorkerClient;
let schemas: Record<string, Schema>;
let paths: Record<string, Record<string, Operation>>;

beforeAll(async () => {
  server = await startServer();
  client = new SDWorkerClient(server.url);
  const api = (await (await fetch(`${server.url}/openapi.json`)).json()) as { components: { schemas: Record<string, Schema> }; paths: typeof paths };
  schemas = api.components.schemas;
  paths = api.paths;
});
afterAll(async () => expect(await server?.stop()).toBe(0));

/** Asks and holds the answer against what the document says of that route and status. */
async function held(method: string, pattern: string, path = pattern, init: RequestInit = {}, status = 200): Promise<unknown> {
  const answer = await fetch(server.url + path, { method, ...init });
  expect(answer.status).toBe(status);
  const value = parseJson(await answer.text());
  const told = paths[pattern]?.[method.toLowerCase()]?.responses[String(status)];
  const ref = (told as { $ref?: string } | undefined)?.$ref;
  const schema = ref ? { $ref: "#/components/schemas/Refusal" } : told?.content?.["application/json"]?.schema;
  expect(schema?.$ref, `${method} ${pattern} has no schema`).toBeDefined();
  expect(breaches(value, schema!, schemas)).toEqual([]);
  return value;
}

const post = (body: unknown): RequestInit => ({ body: JSON.stringify(body), headers: { "content-type": "application/json" } });

test("the check itself sees what is missing, unknown and of another type", () => {
  const schema: Schema = { type: "object", properties: { a: { type: "integer" }, b: { enum: ["x"] } }, required: ["a"] };
  expect(breaches({ a: 1, b: "x" }, schema, {})).toEqual([]);
  expect(breaches({ b: "x" }, schema, {})).toEqual(["it.a is missing"]);
  expect(breaches({ a: "1" }, schema, {})).toEqual(["it.a is of type string, not integer"]);
  expect(breaches({ a: 1, c: 2 }, schema, {})).toEqual(["it.c stands in no schema"]);
  expect(breaches({ a: 1, b: "y" }, schema, {})).toEqual(["it.b is y, not one of x"]);
});

test("the worker's own routes", async () => {
  for (const path of ["/v1/capabilities", "/health", "/ready", "/v1/ready", "/info", "/v1/models"]) await held("GET", path);
});

test("a job's life: accepted, listed, asked for, finished, its output deleted", async () => {
  const { job_id } = (await held("POST", "/v1/jobs", "/v1/jobs", post({ prompt: "step-ms=1", steps: 3, width: 64, height: 64, seed: 7, num_samples: 2 }))) as { job_id: string };
  await client.stream_job(job_id, () => undefined);
  const state = (await held("GET", "/v1/jobs/{id}", `/v1/jobs/${job_id}`)) as { outputs: { id: string }[] };
  expect(state.outputs).toHaveLength(2);
  await held("GET", "/v1/jobs");
  await held("GET", "/v1/outputs");
  await held("DELETE", "/v1/outputs/{id}", `/v1/outputs/${state.outputs[0]!.id}`);
});

test("a queued, a running, a failed and a cancelled job", async () => {
  const submit = async (prompt: string) => (await client.submit({ prompt, steps: 4, width: 64, height: 64, seed: 7 })).job_id;
  const failed = await submit("fail-at=1");
  await client.stream_job(failed, () => undefined);
  const state = (await held("GET", "/v1/jobs/{id}", `/v1/jobs/${failed}`)) as { status: string; error: unknown };
  expect(state.status).toBe("failed");
  expect(state.error).toBeDefined();
  const running = await submit("step-ms=60000");
  const others = await Promise.all(Array.from({ length: 40 }, () => submit("step-ms=60000")));
  await held("GET", "/v1/jobs");
  const { jobs } = await client.jobs({ status: "queued" });
  expect(jobs.length).toBeGreaterThan(0);
  expect(jobs.every((j) => (j.queue_position ?? 0) >= 1)).toBe(true);
  for (const id of [running, ...others]) await held("DELETE", "/v1/jobs/{id}", `/v1/jobs/${id}`);
  await client.stream_job(running, () => undefined);
  await held("GET", "/v1/jobs/{id}", `/v1/jobs/${running}`);
});

test("every event of a job's stream, and of all jobs'", async () => {
  const control = new AbortController();
  const all = await fetch(`${server.url}/v1/events`, { signal: control.signal, headers: { accept: "text/event-stream" } });
  const { job_id } = await client.submit({ prompt: "warn step-ms=50", steps: 5, width: 64, height: 64, preview_every: 2, num_samples: 2 });
  const answer = await fetch(`${server.url}/v1/jobs/${job_id}/stream`, { headers: { accept: "text/event-stream" } });
  const schema = { $ref: paths["/v1/jobs/{id}/stream"]!["get"]!.responses["200"]!.content!["text/event-stream"]!.schema["x-event-data"]! };
  const seen = new Set<string>();
  for await (const message of messagesOf(answer)) {
    if (message.data === "[DONE]") break;
    seen.add(message.event);
    expect(breaches(parseJson(message.data), schema, schemas)).toEqual([]);
    expect((JSON.parse(message.data) as { type: string }).type).toBe(message.event);
  }
  expect([...seen].sort()).toEqual(["complete", "narration", "preview", "progress"]);
  const states: string[] = [];
  for await (const message of messagesOf(all)) {
    const state = JSON.parse(message.data) as { job_id: string; status: string };
    expect(breaches(state, { $ref: "#/components/schemas/JobStatus" }, schemas)).toEqual([]);
    if (state.job_id === job_id) states.push(state.status);
    if (state.status === "completed") break;
  }
  expect(states.at(-1)).toBe("completed");
  control.abort();
});

test("refusals", async () => {
  const all = (await held("POST", "/v1/jobs", "/v1/jobs", post({ prompt: "", steps: 0, width: 63 }), 400)) as { errors: { field: string }[] };
  expect(all.errors.map((e) => e.field).sort()).toEqual(["prompt", "steps", "width"]);
  await held("GET", "/v1/jobs/{id}", "/v1/jobs/job-00000000-0000-4000-8000-000000000000", {}, 404);
  await held("DELETE", "/v1/outputs/{id}", "/v1/outputs/00", {}, 404);
  await held("POST", "/v1/models/load", "/v1/models/load", post({}), 400);
  await held("POST", "/v1/models/load", "/v1/models/load", post({ model: "nobody/nothing" }), 404).catch(() => undefined);
});

test("loading and unloading a model", async () => {
  const [model] = await client.models();
  await held("POST", "/v1/models/unload", "/v1/models/unload", post({ model: model!.id }));
  await held("GET", "/v1/models");
  await held("GET", "/v1/capabilities");
  await held("GET", "/v1/ready");
  await held("POST", "/v1/models/load", "/v1/models/load", post({ model: model!.id }));
});
