// harness.mjs - the real program, a real browser, and between them a proxy that can lose connections.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import net from "node:net";
import { chromium } from "playwright-core";

const sdw = process.env.SDW;
const chrome = process.env.SDW_CHROMIUM ?? "/usr/bin/chromium";
if (!sdw || !existsSync(sdw)) throw new Error("SDW must name the program");
if (!existsSync(chrome)) throw new Error(`no browser at ${chrome}`);

/** Starts `sdw serve` on a free port; resolves when it listens. stop() ends it and resolves with its exit code. */
export async function startWorker(args = [], env = {}) {
  const child = spawn(sdw, ["serve", "--port", "0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
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

/** A TCP proxy; cut() loses every connection at once, refuse(true) takes no new ones. */
export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const sockets = new Set();
  let refusing = false;
  const server = net.createServer((client) => {
    if (refusing) return void client.destroy();
    const upstream = net.connect(Number(port), hostname);
    for (const [a, b] of [[client, upstream], [upstream, client]]) {
      sockets.add(a);
      a.pipe(b);
      a.on("error", () => b.destroy());
      a.on("close", () => { sockets.delete(a); b.destroy(); });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => sockets.forEach((s) => s.destroy()),
    refuse: (yes) => { refusing = yes; },
    open: () => sockets.size / 2,
    stop: () => { sockets.forEach((s) => s.destroy()); server.close(); },
  };
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
  context.setDefaultTimeout(15_000);
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

export const prompt = (page) => page.getByLabel("Prompt", { exact: true });
export const generate = (page) => page.getByRole("button", { name: "Generate" });
export const finished = (page) => page.getByRole("button", { name: "Download" });
export const running = (page) => page.getByLabel("Progress");

/** The smallest picture the worker draws, so that tests measure the page and not the model. */
export async function makeSmall(page, steps) {
  await page.getByText("Custom size").click();
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
