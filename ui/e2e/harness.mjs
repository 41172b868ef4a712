// harness.mjs - the real program, a real browser, and between them a proxy that can lose connections.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { existsSync, mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

export { startProxy } from "./proxy.mjs";

const sdw = process.env.SDW;
/** `sdw serve` over an executor without weights (tests/fake/fake.h): words of the prompt say how long a step takes. */
const fake = process.env.SDW_FAKE;
const chrome = process.env.SDW_CHROMIUM ?? "/usr/bin/chromium";
if (!sdw || !existsSync(sdw)) throw new Error("SDW must name the program");
if (!existsSync(chrome)) throw new Error(`no browser at ${chrome}`);

export const startWorker = (args, env) => start(sdw, ["serve"], args, env);

export function startFake(args, env) {
  if (!fake || !existsSync(fake)) throw new Error("SDW_FAKE must name the program");
  return start(fake, [], args, env);
}

/** Starts the service on a free port; resolves when it is ready. stop() ends it and resolves with its exit code. */
async function start(program, words, args = [], env = {}) {
  const child = spawn(program, [...words, "--port", "0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the worker does not listen:\n${log}`)), 30_000);
    const read = (piece) => {
      log += piece;
      const found = /listening on (http:\/\/[\w.:[\]]+)/.exec(log);
      if (found) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`the worker ended with ${code}:\n${log}`)));
  });
  const stop = async () => {
    if (child.exitCode !== null) return child.exitCode;
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    return code;
  };
  for (let tries = 0; tries < 200; tries++) {
    const ready = await fetch(`${url}/ready`);
    await ready.arrayBuffer();
    if (ready.ok) return { url, stop, log: () => log };
    await new Promise((r) => setTimeout(r, 50));
  }
  await stop();
  throw new Error(`the model does not load:\n${log}`);
}

export async function startBrowser() {
  return chromium.launch({
    executablePath: chrome,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A fresh profile with a page on `url`; what the page complains about is collected and must be empty at the end. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  const foreign = [];
  page.on("pageerror", (e) => complaints.push(e.message));
  page.on("console", (m) => {
    if (m.type() === "error" && !/Failed to load resource|net::ERR/.test(m.text())) complaints.push(m.text());
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(url) && !/^(blob|data):/.test(r.url())) foreign.push(r.url());
  });
  await page.goto(url);
  return { context, page, complaints, foreign };
}

/** scene(name, run): one test with a page of its own, which must not complain and must not leave its origin. `tidy` runs at
 *  its end, whatever came of it. */
export function scenes(browser, url, tidy = () => undefined) {
  return (name, run, options) => test(name, async () => {
    const opened = await openPage(browser(), url(), options);
    try {
      await run(opened.page, opened);
      assert.deepEqual(opened.complaints, [], "the page complained");
      assert.deepEqual(opened.foreign, [], "a request left the origin");
    } finally {
      await opened.context.close();
      await tidy();
    }
  });
}

/** The streams that the pages of a context hold open at this moment, as paths. */
export function streamsOf(context) {
  const open = new Set();
  context.on("request", (r) => { if (/\/stream$|\/events$|\/progress$/.test(new URL(r.url()).pathname)) open.add(r); });
  context.on("requestfinished", (r) => open.delete(r));
  context.on("requestfailed", (r) => open.delete(r));
  return () => [...open].map((r) => new URL(r.url()).pathname);
}

/** Asks until it is so; the last answer stands in the error. */
export async function until(what, ask, timeout = 30_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer === true) return;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer)}`);
    await new Promise((r) => setTimeout(r, 40));
  }
}

/** A job by the API, as another program would. */
export async function post(url, prompt, more = {}) {
  const answer = await fetch(`${url}/v1/jobs`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ prompt, width: 64, height: 64, steps: 4, preview_every: 0, ...more }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).job_id;
}

/** Ends what is left of a test's jobs, so that the next one starts with an idle worker. */
export async function cancelAll(url) {
  const { jobs } = await (await fetch(`${url}/v1/jobs?limit=500`)).json();
  for (const j of jobs) if (j.status === "queued" || j.status === "running") await fetch(`${url}/v1/jobs/${j.job_id}`, { method: "DELETE" });
}

export const prompt = (page) => page.getByLabel("Prompt", { exact: true });
export const generate = (page) => page.getByRole("button", { name: "Generate" });
export const finished = (page) => page.getByRole("button", { name: "Download" });
export const running = (page) => page.getByLabel("Progress");

/** The smallest picture the worker draws, so that tests measure the page and not the model. */
export async function makeSmall(page, steps) {
  if (!(await page.getByLabel("Width", { exact: true }).isVisible())) await page.getByText("Custom size").click();
  await page.getByLabel("Width", { exact: true }).fill("64");
  await page.getByLabel("Height", { exact: true }).fill("64");
  await page.getByLabel("Steps", { exact: true }).fill(String(steps));
}

/** Where screenshots go if somebody wants to look: SDW_SHOTS=folder. */
export async function shot(page, name) {
  const folder = process.env.SDW_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
