// @vitest-environment jsdom
// The hooks in a component, against the real service over the executor without weights.

import { transferableAbortController } from "node:util";
import { createRoot, type Root } from "react-dom/client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { SDWorkerClient, type JobRequest } from "@sd-worker/sdk";
import { useGenerationProgress, useImageToImage, useInpainting, useTextToImage, type Generation, type HookOptions } from "../src/index.js";
import { startServer, type Server } from "../../sdk/test/server/harness.js";

let server: Server;
let client: SDWorkerClient;
let root: Root | undefined;

/** jsdom brings an AbortSignal of its own, which Node's fetch does not take. */
const send: typeof fetch = (input, init) => {
  const control = transferableAbortController();
  const given = init?.signal;
  if (given?.aborted) control.abort();
  given?.addEventListener("abort", () => control.abort());
  return fetch(input, { ...init, signal: control.signal });
};

beforeAll(async () => {
  server = await startServer();
  client = new SDWorkerClient(server.url, "", { fetch: send });
});
afterEach(() => {
  root?.unmount();
  root = undefined;
});
afterAll(async () => expect(await server?.stop()).toBe(0));

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const small = (prompt: string, more: Partial<JobRequest> = {}): JobRequest => ({ prompt, steps: 6, width: 64, height: 64, seed: 42, preview_every: 2, ...more });

/** Waits for what the component shows. */
async function until(so: () => boolean): Promise<void> {
  for (let tries = 0; !so(); tries++) {
    if (tries > 4000) throw new Error(`never: ${so.toString()}`);
    await new Promise((r) => setTimeout(r, 10));
  }
}

/** A component that uses a hook; `now()` is what it returned at its last rendering. */
async function mount<T>(hook: () => T): Promise<{ now: () => T; all: T[] }> {
  const all: T[] = [];
  const Probe = () => {
    all.push(hook());
    return null;
  };
  root = createRoot(document.createElement("div"));
  root.render(<Probe />);
  await until(() => all.length > 0);
  return { now: () => all.at(-1)!, all };
}
const options = (): HookOptions => ({ client });

test("useTextToImage: from idle over progress and preview to the result, and back", async () => {
  const { now, all } = await mount(() => useTextToImage(options()));
  expect(now()).toMatchObject({ isLoading: false, loading: false, progress: null, result: null, error: null, jobId: null });
  const ended = now().generate(small("hold-at=4"));
  await until(() => now().progress !== null && now().preview !== null);
  server.release();
  const returned = await ended;
  await until(() => now().result !== null && !now().isLoading);
  const result = now().result!;
  expect(returned).toEqual(result);
  expect(result.seed).toBe(42);
  expect(result.params).toMatchObject({ operation: "image_generation", prompt: "hold-at=4" });
  expect(Buffer.from(result.imageBase64, "base64").subarray(1, 4).toString()).toBe("PNG");
  expect(now().image).toBe(result.imageBase64);
  expect(now().progress).toEqual({ step: 6, total: 6, percentage: 100 });
  expect(all.some((g) => g.isLoading && g.jobId?.startsWith("job-"))).toBe(true);
  expect(all.some((g) => g.progress && g.progress.step < 6 && g.isLoading)).toBe(true);
  expect(now().preview).toMatch(/^iVBOR/);
  now().reset();
  await until(() => now().result === null);
  expect(now()).toMatchObject({ image: null, progress: null, jobId: null });
});

test("useImageToImage and useInpainting name their operation", async () => {
  for (const [hook, operation, pictures] of [
    [useImageToImage, "image_transform", { input_image: png }], [useInpainting, "image_inpaint", { init_image: png, mask_image: png }],
  ] as const) {
    const { now } = await mount<Generation>(() => hook(options()));
    await now().generate(small("x", pictures));
    await until(() => !now().isLoading && now().jobId !== null);
    expect(now().error).toBeNull();
    expect((await client.job(now().jobId!)).kind).toBe(operation);
    root?.unmount();
  }
});

test("a job is cancelled", async () => {
  const { now } = await mount(() => useTextToImage(options()));
  const ended = now().generate(small("step-ms=50", { steps: 150 }));
  await until(() => now().progress !== null);
  await now().cancel();
  expect(await ended).toBeUndefined();
  await until(() => now().cancelled);
  expect(now()).toMatchObject({ isLoading: false, result: null, error: null });
});

test("a refusal and a failure are the error, with the field's name; the next job clears it", async () => {
  const { now } = await mount(() => useTextToImage(options()));
  await now().generate(small("x", { steps: 151 }));
  await until(() => now().error !== null);
  expect(now().error).toMatchObject({ status: 400, fields: [{ field: "steps" }] });
  expect(now().isLoading).toBe(false);
  await now().generate(small("fail-at=2"));
  await until(() => now().error?.code === "INFERENCE_FAILED");
  await now().generate(small("x"));
  await until(() => now().result !== null);
  expect(now().error).toBeNull();
});

test("useGenerationProgress follows a job of somebody else, then another one", async () => {
  const first = (await client.submit(small("hold-at=4"))).job_id;
  const second = (await client.submit(small("fail-at=2"))).job_id;
  const all: ReturnType<typeof useGenerationProgress>[] = [];
  const Probe = ({ id }: { id: string | null }) => {
    all.push(useGenerationProgress(id, { client }));
    return null;
  };
  root = createRoot(document.createElement("div"));
  root.render(<Probe id={null} />);
  await until(() => all.length > 0);
  expect(all.at(-1)).toEqual({ progress: null, preview: null, ended: null, error: null });
  root.render(<Probe id={first} />);
  await until(() => all.at(-1)!.progress !== null);
  server.release();
  await until(() => all.at(-1)!.ended === "complete");
  expect(all.at(-1)).toMatchObject({ error: null, progress: { step: 6, total: 6 } });
  expect(all.some((p) => p.progress && p.progress.step < 6)).toBe(true);
  root.render(<Probe id={second} />);
  await until(() => all.at(-1)!.ended === "error");
  expect(all.at(-1)!.error).toBeTruthy();
});

test("a component that goes away leaves no stream behind", async () => {
  let open = 0;
  const counting = new SDWorkerClient(server.url, "", {
    fetch: async (input, init) => {
      if (String(input).endsWith("/stream")) {
        open++;
        init?.signal?.addEventListener("abort", () => { open--; });
      }
      return send(input, init);
    },
  });
  const { now } = await mount(() => useTextToImage({ client: counting }));
  void now().generate(small("step-ms=500", { steps: 100 }));
  await until(() => now().progress !== null);
  expect(open).toBe(1);
  const id = now().jobId!;
  root?.unmount();
  await until(() => open === 0);
  await client.cancel(id);
});
