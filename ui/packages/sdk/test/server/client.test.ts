// The client against the real service: streams that break, workers that stop, jobs that are cancelled, requests refused.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SDWorkerClient, SDWorkerError, type JobEvent, type JobRequest } from "../../src/index.js";
import { startProxy, startServer, type Proxy, type Server } from "./harness.js";

let server: Server;
let proxy: Proxy;
let client: SDWorkerClient;

beforeAll(async () => {
  server = await startServer();
  proxy = await startProxy(server.url);
  client = new SDWorkerClient(proxy.url);
});
afterAll(async () => {
  proxy?.stop();
  expect(await server?.stop()).toBe(0);
});

const small = (prompt: string, steps = 6, more: Partial<JobRequest> = {}): JobRequest => ({ prompt, steps, width: 64, height: 64, seed: 42, preview_every: 0, ...more });
const steps = (events: JobEvent[]) => events.flatMap((e) => (e.type === "progress" ? [e.step] : []));

test("a picture, every step once, seeds of 64 bits both ways", async () => {
  const events: JobEvent[] = [];
  const done = await client.generate(small("step-ms=1", 6, { seed: 18446744073709551615n }), (e) => events.push(e));
  expect(steps(events)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(done.seed).toBe(18446744073709551615n);
  expect([done.width, done.height, done.format]).toEqual([64, 64, "png"]);
  expect(Buffer.from(done.image, "base64").subarray(1, 4).toString()).toBe("PNG");
  expect(events.at(-1)?.type).toBe("complete");
});

test("a dropped connection is resumed: every event once, in order", async () => {
  const { job_id } = await client.submit(small("step-ms=30", 60));
  const events: JobEvent[] = [];
  const numbers: number[] = [];
  const open: boolean[] = [];
  let cuts = 0;
  for await (const event of client.follow(job_id, { retryMs: 5, onNumber: (n) => numbers.push(n), onConnection: (o) => open.push(o) })) {
    events.push(event);
    // Once after each connecting: what arrived before a cut is still read after it.
    if (event.type === "progress" && cuts < 3 && open.filter((o) => o).length === cuts + 1) {
      cuts++;
      proxy.cut();
    }
  }
  expect(cuts).toBe(3);
  expect(open.filter((o) => !o)).toHaveLength(3);
  expect(steps(events)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(events.at(-1)?.type).toBe("complete");
});

test("following anew after a number brings only what is later; after the last one nothing", async () => {
  const { job_id } = await client.submit(small("step-ms=1"));
  let last = 0;
  let third = 0;
  for await (const event of client.follow(job_id, { onNumber: (n) => { last = n; } })) if (event.type === "progress" && event.step === 3) third = last;
  const later: JobEvent[] = [];
  await client.stream_job(job_id, (e) => later.push(e), { after: third });
  expect(steps(later)).toEqual([4, 5, 6]);
  const none: JobEvent[] = [];
  await client.stream_job(job_id, (e) => none.push(e), { after: last });
  expect(none).toEqual([]);
});

test("a worker that stops and keeps the job ends its stream without a number: the client goes on with the next worker", async () => {
  const state = mkdtempSync(join(tmpdir(), "sdw-sdk-"));
  const first = await startServer(["--state", state]);
  const between = await startProxy(first.url);
  const own = new SDWorkerClient(between.url);
  try {
    const { job_id } = await own.submit(small("step-ms=300", 4));
    const events: JobEvent[] = [];
    let stopped: Promise<number | null> | undefined;
    const next = (async () => {
      while (!stopped) await new Promise((r) => setTimeout(r, 10));
      await stopped;
      const second = await startServer(["--state", state]);
      between.aim(second.url);
      return second;
    })();
    for await (const event of own.follow(job_id, { retryMs: 20, triesMax: 2000 })) {
      events.push(event);
      if (event.type === "progress" && event.step === 2) stopped ??= first.stop();
    }
    expect(events.at(-1)?.type).toBe("complete");
    expect((await own.job(job_id)).status).toBe("completed");
    expect(await (await next).stop()).toBe(0);
  } finally {
    await first.stop();
    between.stop();
    rmSync(state, { recursive: true, force: true });
  }
});

test("a cancelled job ends its stream with `cancelled`; a second cancel is told", async () => {
  const { job_id } = await client.submit(small("step-ms=50", 150));
  const events: JobEvent[] = [];
  for await (const event of client.follow(job_id)) {
    events.push(event);
    if (event.type === "progress" && event.step === 2) await client.cancel(job_id);
  }
  expect(events.at(-1)).toEqual({ type: "cancelled" });
  expect((await client.job(job_id)).status).toBe("cancelled");
  await expect(client.cancel(job_id)).rejects.toMatchObject({ status: 404, code: "NOT_FOUND" });
});

test("generate throws what went wrong", async () => {
  await expect(client.generate(small("fail-at=2"))).rejects.toMatchObject({ code: "INFERENCE_FAILED" });
  await expect(client.generate(small("nan-at=2"))).rejects.toMatchObject({ code: "NON_FINITE" });
  const control = new AbortController();
  const abandoned = client.generate(small("step-ms=50", 100), (e) => { if (e.type === "progress") control.abort(); }, { signal: control.signal });
  await expect(abandoned).rejects.toBeInstanceOf(SDWorkerError);
});

test("a refused request names its fields", async () => {
  const refusal = await client.submit(small("x", 151, { width: 63 })).catch((e: unknown) => e);
  expect(refusal).toBeInstanceOf(SDWorkerError);
  const { status, code, fields } = refusal as SDWorkerError;
  expect([status, code]).toEqual([400, "INVALID_REQUEST"]);
  expect(fields.map((f) => f.field).sort()).toEqual(["steps", "width"]);
  expect(fields.find((f) => f.field === "steps")?.value).toBe("151");
});

test("the same Idempotency-Key gives the same job", async () => {
  const key = `key-${Date.now()}`;
  const one = await client.submit(small("step-ms=1"), key);
  expect((await client.submit(small("step-ms=1"), key)).job_id).toBe(one.job_id);
  await expect(client.submit(small("step-ms=2"), key)).rejects.toMatchObject({ status: 422 });
});

test("jobs, outputs and thumbnails are listed, fetched and deleted", async () => {
  const done = await client.generate(small("step-ms=1"));
  const [newest] = (await client.jobs({ limit: 1 })).jobs;
  const output = newest!.outputs[0]!;
  expect(output.seed).toBe(done.seed);
  expect((await client.outputs({ limit: 5 })).jobs.map((j) => j.job_id)).toContain(newest!.job_id);
  const bytes = Buffer.from(await (await fetch(client.outputUrl(output.id))).arrayBuffer());
  expect(bytes.equals(Buffer.from(done.image, "base64"))).toBe(true);
  expect((await fetch(client.outputUrl(output.id, 32))).headers.get("content-type")).toBe("image/jpeg");
  await client.deleteOutput(output.id);
  await expect(client.deleteOutput(output.id)).rejects.toMatchObject({ status: 404 });
});

test("all jobs in one stream", async () => {
  const control = new AbortController();
  const seen: string[] = [];
  let connected: () => void;
  const connection = new Promise<void>((resolve) => { connected = resolve; });
  const own = new SDWorkerClient(server.url, "", { fetch: async (input, init) => {
    const answer = await fetch(input, init);
    connected();
    return answer;
  } });
  const listening = (async () => {
    for await (const state of own.events(control.signal)) {
      seen.push(`${state.status}`);
      if (state.status === "completed") control.abort();
    }
  })().catch(() => undefined);
  await connection;
  await client.generate(small("step-ms=30"));
  await listening;
  expect(seen[0]).toMatch(/queued|running/);
  expect(seen.at(-1)).toBe("completed");
});

test("a key is sent when there is one, and its lack is told", async () => {
  const locked = await startServer([], { SDW_API_KEY: "s3cret" });
  try {
    let key: string | undefined;
    const own = new SDWorkerClient(locked.url, "", { apiKey: () => key });
    await expect(own.capabilities()).rejects.toMatchObject({ status: 401 });
    key = "wrong";
    await expect(own.submit(small("x"))).rejects.toMatchObject({ status: 401 });
    key = "s3cret";
    expect((await own.generate(small("step-ms=1"))).format).toBe("png");
  } finally {
    await locked.stop();
  }
});

test("names that earlier clients use", async () => {
  const id = await client.submit_job(small("step-ms=1"));
  const heard: string[] = [];
  await client.streamProgress(id, (e) => heard.push(e.type));
  expect(heard.at(-1)).toBe("complete");
  expect((await client.getJobStatus(id)).status).toBe("completed");
  expect((await client.generateImage(small("step-ms=1"))).type).toBe("complete");
});

test("a worker that is not there", async () => {
  const gone = await startProxy(server.url);
  gone.stop();
  const nobody = new SDWorkerClient(gone.url);
  await expect(nobody.health()).rejects.toMatchObject({ status: 0, code: "UNREACHABLE" });
});
