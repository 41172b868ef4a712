// access.test.mjs - who can use the page and from where: by keyboard, on a phone, with a screen reader (axe), in a frame, with
// a key, under its policy, and as code that was copied from it. Over the service without weights.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { becomes, cancelAll, finished, generate, makeSmall, openPage, post, prompt, scenes, shot, startBrowser, startFake, until, visit as visitAt } from "./harness.mjs";

let worker, browser, place;
const photo = fileURLToPath(new URL("../../demo/photos/chelsea.jpg", import.meta.url));
const PAGES = ["text", "image", "inpaint", "gallery", "queue", "settings"];

before(async () => {
  place = mkdtempSync(join(tmpdir(), "sdw-page-"));
  worker = await startFake();
  browser = await startBrowser();
  for (const words of ["a red fox", "a blue owl"]) await post(worker.url, words);
  await post(worker.url, "fail-at=1 a green hare");
});
after(async () => {
  await browser?.close();
  assert.equal(await worker?.stop(), 0);
  rmSync(place, { recursive: true, force: true });
});
const scene = scenes(() => browser, () => worker.url, () => cancelAll(worker.url));
const field = (page, name) => page.getByLabel(name, { exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });
/** What a page shows once the worker has told all that stands on it. */
const FULL = { text: ".more", image: ".more", inpaint: ".more", gallery: ".tile", queue: ".job", settings: ".tag.loaded" };
const visit = async (page, name) => {
  await visitAt(page, worker.url, name);
  await page.locator(".status.idle, .status.busy").waitFor();
  await page.locator(FULL[name]).first().waitFor();
};

async function draw(page, words, steps = 4) {
  await prompt(page).fill(words);
  await makeSmall(page, steps);
  await generate(page).click();
}

// ---- axe, small screens ----

async function clean(page, where) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map((v) => `${where}: ${v.id}: ${v.nodes[0]?.html}`), []);
}

/** Every page and every state that looks different, each handed to `look`. */
async function everywhere(page, look) {
  await visit(page, "text");
  await look("text");
  await draw(page, "step-ms=2000 a fox", 150);
  await page.getByText(/Step \d+ of 150/).waitFor();
  await look("text, drawing");
  await button(page, "Cancel").click();
  await page.getByText("The job was cancelled.").waitFor();
  await draw(page, "fail-at=1");
  await page.getByText("The job failed.").waitFor();
  await look("text, failed");
  await draw(page, "a fox", 2);
  await finished(page).waitFor();
  await page.getByText("More settings").click();
  await field(page, "Steps").fill("151");
  await generate(page).click();
  await page.locator(".problem").first().waitFor();
  await look("text, drawn, then refused");
  await button(page, "Copy as code").first().click();
  await look("code");
  await page.keyboard.press("Escape");
  for (const mode of ["image", "inpaint"]) {
    await visit(page, mode);
    await field(page, "Picture file").setInputFiles(photo);
    await page.getByAltText("Input").waitFor();
    await look(mode);
  }
  await visit(page, "image");
  await prompt(page).fill("x");
  await field(page, "Steps").fill("2");
  await generate(page).click();
  await page.getByLabel("Before and after").waitFor();
  await look("image, drawn");
  await visit(page, "gallery");
  await page.getByRole("button", { name: /^Open/ }).first().waitFor();
  await look("gallery");
  await page.getByRole("button", { name: /^Open/ }).first().click();
  await page.getByRole("dialog").getByText("Kept").waitFor();
  await look("gallery, one picture");
  await page.keyboard.press("Escape");
  const jobs = [];
  for (let i = 0; i < 6; i++) jobs.push(await post(worker.url, "step-ms=2000 a slow fox", { steps: 150 }));
  await visit(page, "queue");
  await page.locator(".tag.queued").first().waitFor();
  await look("queue");
  await cancelAll(worker.url);
  await visit(page, "settings");
  await page.locator(".tag.loaded").first().waitFor();
  await page.getByText("Samplers and schedules").click();
  await look("settings");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  await look("help");
  await page.keyboard.press("Escape");
}

for (const [view, options] of Object.entries({
  "360 pixels, light": { viewport: { width: 360, height: 740 }, colorScheme: "light", hasTouch: true },
  "desktop, dark": { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
})) {
  scene(`${view}: nothing sticks out, axe finds nothing`, async (page) => {
    await everywhere(page, async (where) => {
      const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= room, `${where}: ${width} pixels wide`);
      const cut = await page.evaluate(() => [...document.querySelectorAll("nav a, main button, dialog button")].filter((e) => {
        const b = e.getBoundingClientRect();
        return b.width > 0 && (b.left < 0 || b.right > innerWidth + 1);
      }).map((e) => e.textContent));
      assert.deepEqual(cut, [], `${where}: cut off`);
      await clean(page, where);
      await shot(page, `${view} ${where}`.replaceAll(/[ ,]+/g, "-"));
    });
  }, options);
}

scene("light on a desktop and dark on a phone: the colours have contrast", async (page, { context }) => {
  for (const name of PAGES) {
    await visit(page, name);
    await clean(page, `${name}, light`);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 740 });
  for (const name of PAGES) {
    await visit(page, name);
    await clean(page, `${name}, dark phone`);
  }
  assert.equal(context.pages().length, 1);
}, { colorScheme: "light" });

// ---- the keyboard ----

/** Tab through a page from its top: what was reached, and an error where the ring cannot be seen. */
async function tabThrough(page, name) {
  await page.reload(); // Tab begins at the top again
  await visit(page, name);
  if (name === "inpaint") {
    await field(page, "Picture file").setInputFiles(photo);
    await page.getByRole("application").waitFor();
  }
  await page.evaluate(() => { document.activeElement.blur(); window.reached = new Set(); });
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press("Tab");
    const more = await page.evaluate(() => {
      const e = document.activeElement;
      if (e === document.body || window.reached.has(e)) return false;
      window.reached.add(e);
      const style = getComputedStyle(e), box = e.getBoundingClientRect();
      if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) throw new Error(`no ring around ${e.outerHTML.slice(0, 120)}`);
      const hit = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 40));
      if (!hit || !(e.contains(hit) || hit.contains(e))) throw new Error(`${hit?.outerHTML.slice(0, 80)} covers ${e.outerHTML.slice(0, 120)}`);
      return true;
    });
    if (!more) return;
  }
}

for (const [view, viewport] of [["desktop", { width: 1280, height: 860 }], ["phone", { width: 360, height: 740 }]]) {
  scene(`${view}: Tab reaches every control of every page, with a ring that nothing covers`, async (page) => {
    for (const name of PAGES) {
      await visit(page, name);
      await tabThrough(page, name);
      const missed = await page.evaluate(() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=application]")]
        .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && !window.reached.has(e)).map((e) => e.outerHTML.slice(0, 120)));
      assert.deepEqual(missed, [], name);
      // What Tab leaves out has a twin or a button that it does reach.
      const out = await page.evaluate(() => [...document.querySelectorAll("input[tabindex='-1']")].map((e) => e.type));
      assert.ok(out.every((t) => t === "range" || t === "file"), String(out));
    }
  }, { viewport });
}

scene("a refused field on a phone is focused where it can be seen", async (page) => {
  await prompt(page).fill("x");
  await field(page, "Steps").fill("151");
  await generate(page).click();
  await page.locator("[aria-invalid=true]:focus").waitFor();
  await until("in view", () => page.evaluate(() => {
    const e = document.activeElement, b = e.getBoundingClientRect();
    return document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2) === e;
  }));
}, { viewport: { width: 360, height: 740 }, hasTouch: true });

scene("a screen reader hears how the job goes", async (page) => {
  await page.evaluate(() => {
    window.heard = [];
    new MutationObserver(() => {
      const text = document.querySelector(".stage [role=status]")?.textContent;
      if (text && window.heard.at(-1) !== text) window.heard.push(text);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await draw(page, "step-ms=250", 20);
  await finished(page).waitFor();
  const heard = await page.evaluate(() => window.heard);
  for (const words of ["25 percent", "50 percent", "75 percent", "The picture is finished."]) assert.ok(heard.includes(words), `${words} not in ${heard}`);
});

// ---- speed ----

scene("first paint within a second", async (page, { context }) => {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  /** Milliseconds of processor time that this document's tasks have taken. */
  const worked = async () => 1000 * (await devtools.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
  // The best of several: others may have the machine at any moment. If they have it all the time, so that more want to run than
  // can, the page's own processor time counts.
  const paints = [], works = [];
  for (let i = 0; i < 8 && !(Math.min(...paints) < 1000); i++) {
    await page.reload();
    const entry = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    paints.push(await entry.jsonValue());
    works.push(await worked());
  }
  const counted = loadavg()[0] > availableParallelism() ? [...paints, ...works] : paints;
  assert.ok(Math.min(...works) > 1, `the page's processor time is measured: ${works} ms`);
  assert.ok(Math.min(...counted) < 1000, `first paints after ${paints} ms, with ${works} ms of work`);
});

test("the page is sent compressed, under 150 KB in all, and asked for again only when it changes", async () => {
  const names = ["", ...[...(await (await fetch(worker.url)).text()).matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((m) => m[1])];
  let total = 0;
  for (const name of names) {
    const [bytes, headers] = await new Promise((resolve, reject) => http.get(`${worker.url}/${name}`, { headers: { "accept-encoding": "gzip" } }, (a) => {
      let n = 0;
      a.on("data", (d) => { n += d.length; });
      a.on("end", () => resolve([n, a.headers]));
    }).on("error", reject));
    total += bytes;
    assert.equal(headers["cache-control"], name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache", name);
    assert.equal((await fetch(`${worker.url}/${name}`, { headers: { "if-none-match": headers.etag } })).status, 304);
  }
  assert.ok(names.length >= 3 && total > 20_000 && total < 150_000, `${total} bytes in ${names.length} files`);
});

// ---- frames, the policy ----

test("in a frame: works, and tells the parent what the worker narrates", async () => {
  const body = `<iframe src="${worker.url}" width="1200" height="900"></iframe><script>window.heard = []; addEventListener("message", (e) => heard.push(e.data));</script>`;
  const parent = http.createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(body));
  parent.listen(0, "127.0.0.1");
  await once(parent, "listening");
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`http://localhost:${parent.address().port}/`);
    const frame = page.frameLocator("iframe");
    await frame.getByLabel("Prompt", { exact: true }).fill("a star step-ms=5");
    await frame.getByLabel("Steps", { exact: true }).fill("8");
    await frame.getByRole("button", { name: "Generate" }).click();
    await frame.getByRole("button", { name: "Download" }).waitFor();
    await frame.getByAltText("Picture 1 of 1").waitFor();
    const narrations = () => page.evaluate(() => window.heard.filter((m) => m.type === "NARRATION_EVENT"));
    await until("a narration is heard", async () => (await narrations()).length > 0);
    const [first] = await narrations();
    assert.deepEqual(Object.keys(first).sort(), ["payload", "source", "timestamp", "type", "version"]);
    assert.equal(first.version, "1.0.0");
    assert.ok(first.payload.human && first.payload.actor && first.payload.action);
  } finally {
    await context.close();
    parent.closeAllConnections();
    parent.close();
  }
});

test("behind a proxy that gives the worker a path of its own", async () => {
  const prefix = "/machines/one";
  const between = http.createServer((request, answer) => {
    if (!request.url.startsWith(`${prefix}/`)) return void answer.writeHead(404).end();
    const { hostname, port } = new URL(worker.url);
    const up = http.request({ hostname, port, path: request.url.slice(prefix.length), method: request.method, headers: request.headers }, (a) => {
      answer.writeHead(a.statusCode, a.headers);
      a.pipe(answer);
    });
    up.on("error", () => answer.destroy());
    answer.on("close", () => up.destroy());
    request.pipe(up);
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  const { page, context, complaints, foreign } = await openPage(browser, `http://127.0.0.1:${between.address().port}${prefix}/`);
  try {
    await draw(page, "step-ms=5", 4);
    await finished(page).waitFor();
    await page.getByRole("link", { name: "Gallery" }).click();
    const picture = page.getByRole("button", { name: "Open: step-ms=5" }).first().locator("img");
    await until("its thumbnail is there", () => picture.evaluate((i) => i.naturalWidth > 0));
    await page.reload();
    await page.getByRole("heading", { name: "Gallery" }).waitFor();
    assert.deepEqual([complaints, foreign], [[], []]);
  } finally {
    await context.close();
    between.closeAllConnections();
    between.close();
  }
});

test("the policy: scripts and styles from here alone, and the page lives with it", async () => {
  const answer = await fetch(worker.url);
  const policy = answer.headers.get("content-security-policy");
  for (const part of ["default-src 'self'", "script-src 'self'", "style-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'self'"]) assert.ok(policy.includes(part), `${part} is not in ${policy}`);
  assert.ok(!/unsafe|\*(?!;|:|\s|$)/.test(policy.replaceAll("localhost:*", "").replaceAll("127.0.0.1:*", "")), policy);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
  const { page, context } = await openPage(browser, worker.url);
  try {
    await page.waitForSelector("h1");
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      return Boolean(window.ran);
    });
    assert.equal(ran, false);
  } finally {
    await context.close();
  }
});

// ---- copy as code ----

/** Runs a snippet in a folder of its own with the pictures that it reads; what it wrote comes back. */
async function runSnippet(kind, text, env = {}) {
  const folder = mkdtempSync(join(place, "code-"));
  for (const name of ["input_image", "init_image", "mask_image"]) cpSync(join(place, "input.png"), join(folder, `${name}.png`));
  const [program, file] = { curl: ["sh", "run.sh"], JavaScript: [process.execPath, "run.mjs"], Python: ["python3", "run.py"] }[kind];
  writeFileSync(join(folder, file), text);
  const run = spawn(program, [file], { cwd: folder, timeout: 120_000, env: { ...process.env, ...env } });
  let said = "";
  for (const out of [run.stdout, run.stderr]) out.on("data", (d) => { said += d; });
  const [status] = await once(run, "close");
  assert.equal(status, 0, `${kind}: ${said}\n${text}`);
  const picture = join(folder, "picture.png");
  assert.ok(existsSync(picture), `${kind} wrote no picture`);
  const bytes = readFileSync(picture);
  assert.deepEqual([...bytes.subarray(1, 4), bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [0x50, 0x4e, 0x47, 64, 64], kind);
}

const KINDS = ["curl", "JavaScript", "Python"];
async function snippets(page, act) {
  const texts = {};
  for (const kind of KINDS) {
    await page.getByRole("group", { name: "Language" }).getByRole("button", { name: kind }).click();
    texts[kind] = await page.getByLabel(`${kind} code`).innerText();
    if (act) await act(kind, texts[kind]);
  }
  return texts;
}
const newest = async (headers) => (await (await fetch(`${worker.url}/v1/outputs?limit=1`, { headers })).json()).jobs[0];

scene("a request as code runs as it was copied", async (page, { context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const awkward = `it's a "test", $HOME \`id\` \\n ''' %s é 猫\nsecond line`;
  await prompt(page).fill(awkward);
  await makeSmall(page, 2);
  writeFileSync(join(place, "input.png"), Buffer.from(await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    canvas.getContext("2d").fillRect(0, 0, 64, 32);
    return canvas.toDataURL().slice(22);
  }), "base64"));
  for (const seed of ["77", "18446744073709551615"]) {
    await field(page, "Seed").fill(seed);
    await button(page, "Copy as code").click();
    await snippets(page, async (kind, text) => {
      await button(page, "Copy").click();
      await becomes("the clipboard", async () => (await page.evaluate(() => navigator.clipboard.readText())).trim(), text.trim());
      await runSnippet(kind, text);
      const job = await newest();
      assert.equal(job.params.prompt, awkward, kind);
      assert.match(await (await fetch(`${worker.url}/v1/outputs?limit=1`)).text(), new RegExp(`"seed":${seed}\\b`), kind);
    });
    await page.keyboard.press("Escape");
  }
  for (const [mode, kind] of [["image", "image_transform"], ["inpaint", "image_inpaint"]]) {
    await visit(page, mode);
    await prompt(page).fill(awkward);
    await field(page, "Steps").fill("2");
    await button(page, "Copy as code").click();
    await snippets(page, async (language, text) => {
      await runSnippet(language, text);
      const job = await newest();
      assert.deepEqual([job.kind, job.params.prompt], [kind, awkward], language);
    });
    await page.keyboard.press("Escape");
  }
});

test("a key: asked once, kept for the tab, forgotten with it; code takes it from the environment", async () => {
  const locked = await startFake([], { SDW_API_KEY: "s3cret-key" });
  const { page, context } = await openPage(browser, locked.url);
  try {
    const ask = page.getByRole("dialog").getByLabel("API key", { exact: true });
    await ask.fill("wrong");
    await button(page, "Use it").click();
    await page.getByText("The worker refused this key.").waitFor();
    const { violations } = await new AxeBuilder({ page }).analyze();
    assert.deepEqual(violations.map((v) => v.id), []);
    await ask.fill("s3cret-key");
    await button(page, "Use it").click();
    await draw(page, "a moon", 2);
    await finished(page).waitFor();
    await page.reload();
    await page.locator(".status.idle").waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0, "asked again in the same tab");
    await button(page, "Copy as code").last().click();
    for (const [kind, text] of Object.entries(await snippets(page))) {
      assert.ok(!text.includes("s3cret"), `${kind} shows the key`);
      await runSnippet(kind, text, { SDW_API_KEY: "s3cret-key" });
    }
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage }).includes("s3cret")), false);
    await page.close();
    const next = await context.newPage();
    await next.goto(locked.url);
    await next.getByText("This worker wants a key.").waitFor();
  } finally {
    await context.close();
    await locked.stop();
  }
});
