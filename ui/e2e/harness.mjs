// harness.mjs - the real program, a real browser, and between them a proxy that can lose connections.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { chromium } from "playwright-core";

export { startProxy } from "./proxy.mjs";

const sdw = process.env.SDW;
/** `sdw serve` over an executor without weights (tests/fake/fake.h): words of the prompt say how long a step takes. */
const fake = process.env.SDW_FAKE;
const chrome = process.env.SDW_CHROMIUM ?? "/usr/bin/chromium";
if (!sdw || !existsSync(sdw)) throw new Error("SDW must name the program");
if (!existsSync(chrome)) throw new Error(`no browser at ${chrome}`);
/** What is waited for comes; how soon is the machine's affair. In milliseconds. */
const PATIENCE = 60_000;

export const startWorker = (args, env) => start(sdw, ["serve"], args, env);

export function startFake(args, env) {
  if (!fake || !existsSync(fake)) throw new Error("SDW_FAKE must name the program");
  return start(fake, [], args, env);
}

/** Starts the service on a free port; resolves when it is ready. stop() ends it and resolves with its exit code. release()
 *  lets what the executor without weights holds (hold-at=N in a prompt), or is about to hold, go on. */
async function start(program, words, args = [], env = {}) {
  const child = spawn(program, [...words, "--port", "0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the worker does not listen:\n${log}`)), PATIENCE);
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
  try {
    await until("the model is loaded", async () => (await fetch(`${url}/ready`)).ok || log);
    if (!args.includes("--ui-dir")) await carriesThePage(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop, release: () => void child.kill("SIGUSR1") };
}

/** The program carries the page that it was built with. Its index names the files of the others by their digests. */
async function carriesThePage(url) {
  const built = readFileSync(new URL("../../build/ui/dist/index.html", import.meta.url), "utf8");
  if ((await (await fetch(url)).text()) !== built) throw new Error("the program carries another page than build/ui/dist: configure and build it again");
}

/** How many times slower its pages compute than the machine can, to look for races: SDW_SLOW_PAGES=4. */
const slower = Number(process.env.SDW_SLOW_PAGES ?? 1);

export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: chrome,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.setDefaultTimeout(PATIENCE);
    if (slower > 1) slowDown(context);
    return context;
  };
  return browser;
}

function slowDown(context) {
  const newPage = context.newPage.bind(context);
  context.newPage = async () => {
    const page = await newPage();
    await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: slower });
    return page;
  };
}

/** A fresh profile with a page on `url`; what the page complains about is collected and must be empty at the end. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
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
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer === true) return;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer)}`);
    await new Promise((r) => setTimeout(r, 40));
  }
}

/** Asks until the answer is `wanted`. */
export const becomes = (what, ask, wanted) => until(what, async () => {
  const answer = await ask();
  return isDeepStrictEqual(answer, wanted) || answer;
});

/** Opens one of the app's pages; a new fragment alone is told to the app after goto() has returned. */
export async function visit(page, url, name) {
  await page.goto(`${url}/#/${name}`);
  await page.locator(`nav a[href="#/${name}"][aria-current=page]`).waitFor();
}

/** Where an element is once the pictures around it are there and nothing moves it any more. */
export async function stillBox(locator) {
  let box;
  await until("nothing moves", async () => {
    const before = box;
    const loaded = await locator.page().evaluate(() => [...document.images].every((i) => i.complete));
    box = await locator.boundingBox();
    return (loaded && box !== null && isDeepStrictEqual(box, before)) || [loaded, box];
  });
  return box;
}

/** The pictures that this browser keeps, as other programs see them: listed after thumbnail and database, and so some time
 *  after the picture is shown. */
export const listed = (page) => page.evaluate(() => JSON.parse(localStorage.generated_images ?? "[]"));

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

/** The facts of the finished picture in view; "" while there is none. Its seed tells it from the one before. */
export const factsOf = async (page) => (await page.locator(".facts").allInnerTexts()).join();

/** Does what draws a picture and waits for that one, not for one that stood there before. */
export async function drawn(page, act) {
  const before = await factsOf(page);
  await act();
  await until("another picture is finished", async () => ![before, ""].includes(await factsOf(page)) || before);
}

/** The smallest picture the worker draws, so that tests measure the page and not the model. */
export async function makeSmall(page, steps, side = 64) {
  await page.getByText("Custom size").waitFor();
  if (!(await page.getByLabel("Width", { exact: true }).isVisible())) await page.getByText("Custom size").click();
  await page.getByLabel("Width", { exact: true }).fill(String(side));
  await page.getByLabel("Height", { exact: true }).fill(String(side));
  await page.getByLabel("Steps", { exact: true }).fill(String(steps));
}

/** Where screenshots go if somebody wants to look: SDW_SHOTS=folder. */
export async function shot(page, name) {
  const folder = process.env.SDW_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
