// clients.test.mjs - programs that others wrote against these APIs, pinned in package.json, against the real worker.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { StableDiffusionApi } from "a1111-webui-api";
import { EventSource } from "eventsource";
import OpenAI, { toFile } from "openai";
import sharp from "sharp";

const { SDW, SDW_MODEL } = process.env;
let worker, url, openai, a1111;

/** Waits for what comes; how soon is the machine's affair. */
async function until(what, ask) {
  for (const end = Date.now() + 60_000; !(await ask()); await new Promise((r) => setTimeout(r, 25))) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
  }
}

async function start(args = [], env = {}) {
  const child = spawn(SDW, ["serve", "--port", "0", "--model", SDW_MODEL, ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const address = await new Promise((resolve, reject) => {
    child.stderr.on("data", (d) => {
      log += d;
      const found = /listening on (http:\S+)/.exec(log);
      if (found) resolve(found[1]);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${log}`)));
  });
  await until("ready", async () => (await fetch(`${address}/ready`)).ok);
  return { child, address };
}
async function stop({ child }) {
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  return code;
}

before(async () => {
  worker = await start();
  url = worker.address;
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 2, timeout: 120_000 });
  const { hostname, port } = new URL(url);
  a1111 = new StableDiffusionApi({ host: hostname, port: Number(port), protocol: "http" });
});
after(async () => assert.equal(await stop(worker), 0));

const small = { size: "64x64", steps: 2 };
const png = (channels, alpha) => sharp({ create: { width: 64, height: 64, channels, background: { r: 200, g: 90, b: 30, alpha: alpha ?? 1 } } }).png().toBuffer();
const sizeOf = async (base64) => {
  const { width, height, format } = await sharp(Buffer.from(base64, "base64")).metadata();
  return `${width}x${height} ${format}`;
};

// ---- openai ----

test("openai: generate, in base64 and by address", async () => {
  const one = await openai.images.generate({ model: "gpt-image-2", prompt: "a cat", n: 2, response_format: "b64_json", ...small });
  assert.equal(one.data.length, 2);
  assert.equal(await sizeOf(one.data[0].b64_json), "64x64 png");
  const two = await openai.images.generate({ prompt: "a cat", response_format: "url", output_format: "webp", ...small });
  const picture = Buffer.from(await (await fetch(two.data[0].url)).arrayBuffer());
  assert.equal((await sharp(picture).metadata()).format, "webp");
});

test("openai: edit with and without a mask, one image or a list", async () => {
  const image = await toFile(await png(3), "a.png", { type: "image/png" });
  const hole = await sharp(await png(4)).composite([{ input: await sharp({ create: { width: 32, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 1 } } }).png().toBuffer(), left: 0, top: 0, blend: "dest-out" }]).png().toBuffer();
  for (const input of [image, [image]]) {
    const { data } = await openai.images.edit({ image: input, prompt: "a hat", ...small });
    assert.equal(await sizeOf(data[0].b64_json), "64x64 png");
  }
  const { data } = await openai.images.edit({ image, mask: await toFile(hole, "m.png", { type: "image/png" }), prompt: "a hat", ...small });
  assert.equal(await sizeOf(data[0].b64_json), "64x64 png");
  await assert.rejects(openai.images.edit({ image: [image, image], prompt: "x", ...small }), (e) => e.status === 400 && /takes one/.test(e.message));
});

test("openai: a variation", async () => {
  const { data } = await openai.images.createVariation({ image: await toFile(await png(3), "a.png", { type: "image/png" }), n: 1, ...small });
  assert.equal(await sizeOf(data[0].b64_json), "64x64 png");
});

test("openai: streams with previews", async () => {
  const stream = await openai.images.generate({ prompt: "a cat", stream: true, partial_images: 2, size: "64x64", steps: 12 });
  const types = [];
  for await (const event of stream) {
    types.push(event.type);
    assert.equal(await sizeOf(event.b64_json), "64x64 png");
  }
  assert.equal(types.at(-1), "image_generation.completed");
  assert.ok(types.filter((t) => t === "image_generation.partial_image").length <= 2);
  const edits = await openai.images.edit({ image: await toFile(await png(3), "a.png", { type: "image/png" }), prompt: "x", stream: true, ...small });
  const last = [];
  for await (const event of edits) last.push(event.type);
  assert.equal(last.at(-1), "image_edit.completed");
});

test("openai: errors are the classes of the library, and a bad request is not tried again", async () => {
  const before = Number(/sdw_http_requests_total\{route="\/v1\/images\/generations"[^}]*code="400"\} (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0);
  await assert.rejects(openai.images.generate({ prompt: "", ...small }), (e) => e instanceof OpenAI.BadRequestError && e.param === "prompt");
  await assert.rejects(openai.images.generate({ prompt: "x", size: "65x64" }), (e) => e instanceof OpenAI.BadRequestError && e.code === "invalid_size");
  const after = Number(/sdw_http_requests_total\{route="\/v1\/images\/generations"[^}]*code="400"\} (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0);
  assert.equal(after - before, 2);
  await assert.rejects(openai.models.retrieve("no-such-model"), (e) => e instanceof OpenAI.NotFoundError);
});

test("openai: a full queue is tried three times in all; a key is asked", async () => {
  const locked = await start(["--max-queue", "1", "--max-batch", "1"], { SDW_API_KEY: "s3cret" });
  try {
    const wrong = new OpenAI({ baseURL: `${locked.address}/v1`, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(wrong.images.generate({ prompt: "x", ...small }), (e) => e instanceof OpenAI.AuthenticationError);
    const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };
    const body = JSON.stringify({ prompt: "long", steps: 150, width: 512, height: 512 });
    const ids = [];
    for (let i = 0; i < 2; i++) {
      ids.push((await (await fetch(`${locked.address}/v1/jobs`, { method: "POST", headers, body })).json()).job_id);
      if (i === 0) await until("the first one runs", async () => (await (await fetch(`${locked.address}/v1/jobs/${ids[0]}`, { headers })).json()).status === "running");
    }
    let tries = 0;
    const counting = new OpenAI({ baseURL: `${locked.address}/v1`, apiKey: "s3cret", maxRetries: 2, fetch: async (...a) => {
      tries++;
      const answer = await fetch(...a);
      assert.equal(answer.headers.get("retry-after"), "5");
      return new Response(await answer.text(), { status: answer.status, headers: { "content-type": "application/json", "retry-after-ms": "10" } });
    } });
    await assert.rejects(counting.images.generate({ prompt: "x", ...small }), (e) => e instanceof OpenAI.RateLimitError && e.code === "queue_full");
    assert.equal(tries, 3);
    for (const id of ids) await fetch(`${locked.address}/v1/jobs/${id}`, { method: "DELETE", headers });
  } finally {
    await stop(locked);
  }
});

test("openai: models", async () => {
  const list = await openai.models.list();
  assert.ok(list.data.length >= 1);
  assert.equal((await openai.models.retrieve(list.data[0].id)).id, list.data[0].id);
});

// ---- a1111-webui-api ----

test("a1111: txt2img with every default that the client sends", async () => {
  const result = await a1111.txt2img({ prompt: "a cat", negative_prompt: "dog", width: 64, height: 64, steps: 3, seed: 5, sampler_name: "Euler a", batch_size: 2 });
  assert.equal(result.images.length, 2);
  assert.equal((await result.image.metadata()).width, 64);
  const info = JSON.parse(result.info);
  assert.equal(info.seed, 5);
  assert.deepEqual(info.all_seeds, [5, 6]);
  assert.match(info.infotexts[0], /^a cat\nNegative prompt: dog\nSteps: 3, Sampler: Euler a/);
  const told = await a1111.pngInfo(result.image);
  assert.ok(typeof told.info === "string" || typeof told.info === "object");
});

test("a1111: img2img, extras, progress, options, lists", async () => {
  const result = await a1111.img2img({ init_images: [sharp(await png(3))], prompt: "a hat", width: 64, height: 64, steps: 4, denoising_strength: 0.5 });
  assert.equal(result.images.length, 1);
  const larger = await a1111.extraSingle({ image: sharp(await png(3)), upscaler_1: "Lanczos", upscaling_resize: 2, resize_mode: 0 });
  assert.equal((await larger.image.metadata()).width, 128);
  const progress = await a1111.getProgress();
  assert.equal(progress.progress, 0);
  assert.equal(progress.state.job_count, 0);
  const options = await a1111.getOptions();
  await a1111.setOptions(options);
  assert.ok((await a1111.getSamplers()).some((s) => s.name === "DPM++ 2M"));
  assert.ok((await a1111.getUpscalers()).some((u) => u.name === "Lanczos"));
  const models = await a1111.getSdModels();
  assert.ok(models.length >= 1);
  await a1111.setModel(models[0].title, false);
  assert.deepEqual(await a1111.getPromptStyles(), []);
  await a1111.refreshCheckpoints();
});

// ---- eventsource ----

async function submit(body) {
  const answer = await fetch(`${url}/v1/jobs`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ prompt: "x", width: 64, height: 64, ...body }) });
  return answer.json();
}

/** Everything an EventSource hears until it is told to stay closed. */
function hear(path) {
  const source = new EventSource(url + path);
  const heard = [];
  for (const name of ["progress", "preview", "complete", "narration", "message"]) source.addEventListener(name, (e) => heard.push([name, e.data, e.lastEventId]));
  const errors = [];
  source.addEventListener("error", (e) => { if (e.data !== undefined) errors.push(e.data); });
  const closed = new Promise((resolve, reject) => {
    const timer = setTimeout(() => { source.close(); reject(new Error("the EventSource does not close")); }, 60_000);
    const look = setInterval(() => {
      if (source.readyState !== 2) return;
      clearTimeout(timer);
      clearInterval(look);
      resolve();
    }, 50);
  });
  return { heard, errors, closed };
}

test("eventsource: a job to its end, then one reconnect that is told to stay away", async () => {
  const { sse_url } = await submit({ steps: 6, seed: 3 });
  const { heard, errors, closed } = hear(sse_url);
  await closed;
  assert.deepEqual(errors, []);
  assert.equal(heard.filter(([n]) => n === "progress").length, 6);
  assert.ok(heard.some(([n]) => n === "preview"));
  assert.equal(heard.filter(([n]) => n === "complete").length, 1);
  assert.equal(heard.at(-1)[1], "[DONE]");
  const ids = heard.map(([, , id]) => Number(id));
  assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
});

test("eventsource: a cancelled job stays closed too", async () => {
  const { job_id, sse_url } = await submit({ steps: 150, width: 512, height: 512 });
  const { heard, closed } = hear(sse_url);
  await fetch(`${url}/v1/jobs/${job_id}`, { method: "DELETE" });
  await closed;
  assert.equal(heard.at(-1)[1], "[CANCELLED]");
});

// ---- OpenAPI ----

test("redocly: the OpenAPI document has no errors", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sdw-openapi-"));
  const file = join(folder, "openapi.json");
  writeFileSync(file, await (await fetch(`${url}/openapi.json`)).text());
  const cli = new URL("./node_modules/@redocly/cli/bin/cli.js", import.meta.url).pathname;
  assert.ok(existsSync(cli));
  const run = spawnSync(process.execPath, [cli, "lint", "--extends", "spec", "--format", "json", file], {
    encoding: "utf8", env: { ...process.env, REDOCLY_TELEMETRY: "off", CI: "true", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" }, timeout: 120_000,
  });
  const result = JSON.parse(run.stdout.slice(run.stdout.indexOf("{")));
  assert.equal(result.totals.errors, 0, JSON.stringify(result.problems?.slice(0, 5), null, 1));
  const document = JSON.parse(readFileSync(file, "utf8"));
  assert.match(document.openapi, /^3\.1/);
});

// ---- a client that leaves ----

test("a synchronous call whose client leaves is cancelled within a step", async () => {
  const body = JSON.stringify({ prompt: "x", steps: 150, width: 512, height: 512 });
  const request = http.request(`${url}/sdapi/v1/txt2img`, { method: "POST", headers: { "content-type": "application/json", "content-length": body.length } });
  request.on("error", () => undefined);
  request.end(body);
  const running = async () => (await (await fetch(`${url}/v1/jobs?status=running`)).json()).jobs.length;
  await until("it runs", async () => (await running()) === 1);
  request.destroy();
  await until("it is cancelled", async () => (await running()) === 0);
});
