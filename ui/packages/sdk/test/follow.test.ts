import { expect, test } from "vitest";
import { SDWorkerClient, SDWorkerError, type JobEvent } from "../src/index.js";

type Script = { status?: number; body?: string; fail?: boolean; headers?: Record<string, string> };

/** A worker that answers the stream route by a script, one entry per connection. */
function clientOf(script: Script[]) {
  const asked: (string | null)[] = [];
  const send = async (_url: unknown, init?: RequestInit) => {
    const entry = script[asked.length] ?? { fail: true };
    asked.push(new Headers(init?.headers).get("last-event-id"));
    if (entry.fail) throw new TypeError("network");
    const status = entry.status ?? 200;
    return new Response(status === 204 ? null : (entry.body ?? ""), { status, ...(entry.headers ? { headers: entry.headers } : {}) });
  };
  return { client: new SDWorkerClient("http://w", "", { fetch: send as typeof fetch }), asked };
}

async function collect(client: SDWorkerClient, extra = {}) {
  const events: JobEvent[] = [];
  for await (const event of client.follow("job-1", { retryMs: 1, ...extra })) events.push(event);
  return events;
}

const progress = (n: number) => `id: ${n}\nevent: progress\ndata: {"percent":${n * 10},"step":${n},"total":10,"type":"progress"}\n\n`;

test("a stream that ends with a numbered marker ends", async () => {
  const { client, asked } = clientOf([{ body: progress(1) + "id: 2\ndata: [DONE]\n\n" }]);
  expect(await collect(client)).toHaveLength(1);
  expect(asked).toEqual([null]);
});

test("a connection that is lost is resumed after the last number, nothing twice", async () => {
  const { client, asked } = clientOf([
    { body: progress(1) + progress(2) + "id: 3\nevent: prog" }, { fail: true }, { body: progress(3) + "id: 4\ndata: [CANCELLED]\n\n" },
  ]);
  const events = await collect(client);
  expect(events.map((e) => (e.type === "progress" ? e.step : e.type))).toEqual([1, 2, 3, "cancelled"]);
  expect(asked).toEqual([null, "2", "2"]);
});

test("an unnumbered end marker means that the job is kept: go on", async () => {
  const { client, asked } = clientOf([
    { body: progress(1) + "data: [ERROR] Worker is shutting down, job job-1 is kept\n\n" }, { body: progress(1) + "id: 2\ndata: [DONE]\n\n" },
  ]);
  expect(await collect(client)).toHaveLength(2);
  expect(asked).toEqual([null, "1"]);
});

test("204 says that everything was seen", async () => {
  const { client } = clientOf([{ status: 204 }]);
  expect(await collect(client, { after: 7 })).toEqual([]);
});

test("an unknown job is an error with the worker's words", async () => {
  const { client } = clientOf([{ status: 404, body: '{"error":{"code":"NOT_FOUND","message":"Job job-1 not found or already streaming"}}' }]);
  await expect(collect(client)).rejects.toMatchObject({ status: 404, code: "NOT_FOUND", message: "Job job-1 not found or already streaming" });
});

test("a worker that stays away is given up", async () => {
  const { client, asked } = clientOf([]);
  await expect(collect(client, { triesMax: 3 })).rejects.toBeInstanceOf(SDWorkerError);
  expect(asked).toHaveLength(4);
});

test("overload is waited out", async () => {
  const { client } = clientOf([{ status: 503, headers: { "retry-after": "5" } }, { body: progress(1) + "id: 2\ndata: [DONE]\n\n" }]);
  expect(await collect(client)).toHaveLength(1);
});

test("refused fields come with the error", async () => {
  const body = '{"error":{"code":"INVALID_REQUEST","message":"Invalid input: x"},"errors":[{"field":"steps","constraint":"range(1..=150)","message":"x","value":"0"}]}';
  const { client } = clientOf([{ status: 400, body }]);
  await expect(client.submit({ prompt: "a", steps: 0 })).rejects.toMatchObject({ status: 400, fields: [{ field: "steps" }] });
});
