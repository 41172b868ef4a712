// detail.test.mjs - what each page promises beyond its main job, over the service without weights: jobs there last as long
// as their prompt says, so that nothing here waits for arithmetic.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  becomes, cancelAll, drawn, finished, generate, listed, makeSmall, openPage, post, prompt, running, scenes, shot, startBrowser, startFake, startProxy, stillBox,
  streamsOf, until, visit,
} from "./harness.mjs";

let worker, proxy, browser, place;
const photo = fileURLToPath(new URL("../../demo/photos/chelsea.jpg", import.meta.url));
const model = process.env.SDW_DEMO_MODEL;

before(async () => {
  place = mkdtempSync(join(tmpdir(), "sdw-page-"));
  worker = await startFake();
  proxy = await startProxy(worker.url);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  proxy?.stop();
  assert.equal(await worker?.stop(), 0);
  rmSync(place, { recursive: true, force: true });
});
const scene = scenes(() => browser, () => proxy.url, () => cancelAll(worker.url));
const field = (page, name) => page.getByLabel(name, { exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });

async function draw(page, words, steps = 4) {
  await prompt(page).fill(words);
  await makeSmall(page, steps);
  await generate(page).click();
}
/** What the page sends with its next job. */
const nextRequest = async (page, act) => {
  const [request] = await Promise.all([page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/v1/jobs")), act()]);
  return JSON.parse(request.postData());
};
/** A picture given as base64, decoded in the page: its size, and its colour at points given as fractions. */
const lookAt = (page, base64, points) => page.evaluate(async ([text, at]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const colours = at.map(([x, y]) => [...context.getImageData(Math.floor(x * (bitmap.width - 1)), Math.floor(y * (bitmap.height - 1)), 1, 1).data].slice(0, 3));
  return { width: bitmap.width, height: bitmap.height, colours };
}, [base64, points]);

// ---- connections ----

/** What the browser does when another tab comes before this one, or a window is minimised. */
const hide = (page, hidden) => page.evaluate((h) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => h });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);

test("eight long jobs, three visible windows: never six connections, everything still loads", async () => {
  const context = await browser.newContext();
  const streams = streamsOf(context);
  const pages = [];
  try {
    for (let i = 0; i < 3; i++) {
      pages.push(await context.newPage());
      await pages[i].goto(proxy.url);
      await pages[i].waitForSelector("h1");
    }
    for (let i = 0; i < 8; i++) {
      await prompt(pages[i % 3]).fill(`step-ms=1000 job ${i}`);
      if (i < 3) await makeSmall(pages[i], 150);
      await generate(pages[i % 3]).click();
      await becomes(`job ${i} is accepted`, async () => (await (await fetch(`${worker.url}/v1/jobs?limit=1`)).json()).jobs[0]?.params.prompt, `step-ms=1000 job ${i}`);
    }
    // Each window has a job in view, and shows its steps.
    await pages[0].reload();
    for (const page of pages) await page.getByText(/Step \d+ of 150|Waiting, place \d/).waitFor();
    await until("three event streams and one job's", () => {
      const open = streams().map((p) => p.replace(/job-[^/]+/, "ID")).sort();
      return open.length === 4 && open.filter((p) => p === "/v1/events").length === 3 ? true : open;
    });
    // Everything still loads in each of them.
    for (const page of pages) {
      await page.goto(`${proxy.url}/#/queue`);
      await page.reload();
      await page.getByText("step-ms=1000 job 7").first().waitFor();
      await page.goto(`${proxy.url}/#/settings`);
      await page.locator(".tag.loaded").first().waitFor();
      await page.goto(`${proxy.url}/#/gallery`);
      await page.getByRole("heading", { name: "Gallery" }).waitFor();
    }
    const answer = await pages[2].evaluate(async () => (await fetch("health")).status);
    assert.equal(answer, 200);
  } finally {
    await cancelAll(worker.url);
    await context.close();
  }
});

scene("a hidden page gives its streams back, and goes on where it was", async (page, { context }) => {
  const streams = streamsOf(context);
  await page.reload();
  await draw(page, "step-ms=20 hold-at=50", 100);
  await page.getByText(/[\d.]+ s left/).waitFor(); // by events of the job's own stream
  await until("two streams are open", () => streams().length === 2 || streams());
  await hide(page, true);
  await until("no stream is open", () => streams().length === 0 || streams());
  const resumed = page.waitForRequest((r) => r.url().endsWith("/stream"));
  worker.release();
  await until("the job goes on", async () => {
    const [job] = (await (await fetch(`${worker.url}/v1/jobs?limit=1`)).json()).jobs;
    return job.status === "completed" || job.step > 50 || job;
  });
  await hide(page, false);
  assert.match((await (await resumed).allHeaders())["last-event-id"] ?? "", /^[1-9]\d*$/);
  await finished(page).waitFor();
  await until("only the stream of all jobs is open", () => String(streams()) === "/v1/events" || streams());
});

test("the window that is asked takes the job's stream; the other one still shows the steps and gets the picture", async () => {
  const context = await browser.newContext();
  try {
    const [one, two] = [await context.newPage(), await context.newPage()];
    await one.goto(proxy.url);
    await two.goto(proxy.url);
    // A hold of either stops both, since evaluations follow one another.
    await draw(one, "hold-at=10 first", 30);
    await one.getByText("Step 9 of 30").waitFor();
    await draw(two, "hold-at=10 step-ms=200 second", 150);
    await running(two).waitFor();
    worker.release();
    await two.getByText(/Step \d+ of 150/).waitFor();
    // The first window's steps go on.
    await one.getByText(/Step (1[4-9]|2\d) of 30/).waitFor();
    worker.release();
    await finished(one).waitFor();
    assert.equal(await running(two).count(), 1, "the other window still has the turn");
    await button(two, "Cancel").click();
    await two.getByText("The job was cancelled.").waitFor();
    // What one window began stands in the list of both.
    await until("both jobs are this browser's", () => two.evaluate(() => JSON.parse(localStorage.sd_worker_jobs).filter((j) => j.over).length === 2));
  } finally {
    await cancelAll(worker.url);
    await context.close();
  }
});

scene("a reload in mid-run finds the job again and finishes it", async (page) => {
  await draw(page, "step-ms=20 hold-at=20", 40);
  await page.getByText("Step 19 of 40").waitFor();
  await page.reload();
  await page.getByText("Step 19 of 40").waitFor();
  worker.release();
  await finished(page).waitFor();
});

scene("a lost connection is resumed, and nothing is lost", async (page) => {
  await draw(page, "step-ms=20 hold-at=20", 40);
  await page.getByText(/[\d.]+ s left/).waitFor(); // by events of the job's own stream
  const resumed = page.waitForRequest(async (r) => /\/stream$/.test(r.url()) && Boolean((await r.allHeaders())["last-event-id"]));
  try {
    proxy.refuse(true);
    proxy.cut();
    await page.getByText("connecting").first().waitFor();
  } finally {
    proxy.refuse(false);
  }
  await resumed;
  worker.release();
  await finished(page).waitFor();
  await until("the picture is kept", async () => (await listed(page)).length === 1 || (await listed(page)));
});

// ---- pictures in ----

scene("a photo over 2048 pixels is scaled before it is sent, upright", async (page) => {
  await visit(page, proxy.url, "image");
  // 3000 x 1000, left half red, right half blue, marked as lying on its side (orientation 6): upright it is red above blue.
  const jpeg = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [3000, 1000];
    const context = canvas.getContext("2d");
    context.fillStyle = "#f00";
    context.fillRect(0, 0, 1500, 1000);
    context.fillStyle = "#00f";
    context.fillRect(1500, 0, 1500, 1000);
    const blob = await new Promise((r) => canvas.toBlob(r, "image/jpeg", 0.9));
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  const exif = [0xff, 0xe1, 0, 34, ...Buffer.from("Exif\0\0II*\0"), 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0];
  const file = join(place, "sideways.jpg");
  writeFileSync(file, Uint8Array.from([...jpeg.slice(0, 2), ...exif, ...jpeg.slice(2)]));
  await field(page, "Picture file").setInputFiles(file);
  await page.getByText("Scaled from 1000×3000 to 683×2048").waitFor();
  await prompt(page).fill("x");
  await field(page, "Steps").fill("1");
  const sent = await nextRequest(page, () => generate(page).click());
  const seen = await lookAt(page, sent.input_image, [[0.5, 0.1], [0.5, 0.9]]);
  assert.deepEqual([seen.width, seen.height], [683, 2048]);
  assert.ok(seen.colours[0][0] > 200 && seen.colours[0][2] < 60, `above ${seen.colours[0]}`);
  assert.ok(seen.colours[1][2] > 200 && seen.colours[1][0] < 60, `below ${seen.colours[1]}`);
  await page.getByLabel("Before and after").waitFor();
});

scene("a picture is dropped, pasted, refused; before and after belong to the job", async (page) => {
  await visit(page, proxy.url, "image");
  const bytes = [...readFileSync(photo)];
  const give = (kind, type, list) => page.evaluate(([k, t, l]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(l)], "x", { type: t }));
    if (k === "paste") window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    else document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [kind, type, list]);
  await give("drop", "image/jpeg", bytes);
  await page.getByAltText("Input").waitFor();
  await button(page, "Remove").click();
  await page.getByAltText("Input").waitFor({ state: "detached" });
  await give("paste", "image/jpeg", bytes);
  await page.getByAltText("Input").waitFor();
  await give("drop", "image/png", [1, 2, 3]);
  await page.getByText("not a picture that the browser can read").waitFor();
  await prompt(page).fill("x");
  await field(page, "Steps").fill("2");
  const sent = await nextRequest(page, () => generate(page).click());
  assert.equal(sent.operation, "image_transform");
  await page.getByLabel("Before and after").waitFor();
  await becomes("width of the source", () => page.getByAltText("Before").evaluate((i) => i.naturalWidth), 256);
  for (const [name, inset] of [["Before", "0%"], ["After", "100%"], ["Both", "50%"]]) {
    await page.getByRole("group", { name: "Comparison" }).getByRole("button", { name, exact: true }).click();
    await until(name, async () => {
      const clip = await page.getByAltText("Before").evaluate((e) => e.style.clipPath);
      return clip.includes(` ${inset} `) || clip;
    });
  }
  await button(page, "Side by side").click();
  await becomes("pictures side by side", () => page.locator(".beside img").count(), 2);
  await button(page, "Both").click();
  // Another picture is chosen, another page opened: the result keeps what it was made from, and its page.
  await give("drop", "image/jpeg", [...readFileSync(fileURLToPath(new URL("../../demo/photos/coffee.jpg", import.meta.url)))]);
  await visit(page, proxy.url, "text");
  await page.getByText("Describe a picture and press").waitFor();
  await visit(page, proxy.url, "image");
  await page.getByLabel("Before and after").waitFor();
});

scene("the mask: brush, eraser, sizes, undo by keys, invert, zoom by wheel; white is what was painted", async (page) => {
  await visit(page, proxy.url, "inpaint");
  await field(page, "Picture file").setInputFiles(photo);
  const canvas = page.getByRole("application");
  await canvas.waitFor();
  const painted = () => canvas.evaluate((c) => {
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < d.length; i += 4) if (d[i] > 127) n++;
    return n / (d.length / 4);
  });
  const stroke = async (x0, y0, x1, y1) => {
    const box = await stillBox(canvas);
    await page.mouse.move(box.x + box.width * x0, box.y + box.height * y0);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * x1, box.y + box.height * y1, { steps: 5 });
    await page.mouse.up();
  };
  await stroke(0.2, 0.25, 0.8, 0.25);
  const thin = await painted();
  await button(page, "Eraser").click();
  await stroke(0.5, 0.1, 0.5, 0.4);
  const erased = await painted();
  assert.ok(erased < thin && erased > thin * 0.7, `${thin}, after the eraser ${erased}`);
  await page.keyboard.press("Control+z");
  await becomes("after undo", painted, thin);
  await page.keyboard.press("Control+Shift+z");
  await becomes("after redo", painted, erased);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("b");
  for (let i = 0; i < 4; i++) await page.keyboard.press("]");
  await becomes("the brush's size", () => page.locator(".mask output").innerText(), "40");
  await stroke(0.2, 0.6, 0.8, 0.6);
  const both = await painted();
  assert.ok(both - thin > 1.6 * thin, `a brush of twice the size paints ${both - thin}, the first ${thin}`);
  await button(page, "Show mask").click();
  await page.locator(".board.only").waitFor();
  const box = await stillBox(canvas);
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -300);
  await page.keyboard.up("Control");
  await until("zoomed in", async () => (await canvas.boundingBox()).width > box.width * 1.5);
  await page.getByRole("button", { name: "back to the full view" }).click();
  await until("as before", async () => Math.abs((await canvas.boundingBox()).width - box.width) < 2);
  await prompt(page).fill("x");
  await field(page, "Steps").fill("2");
  const sent = await nextRequest(page, () => generate(page).click());
  assert.equal(sent.operation, "image_inpaint");
  const seen = await lookAt(page, sent.mask_image, [[0.5, 0.25], [0.5, 0.6], [0.5, 0.45], [0.05, 0.95]]);
  assert.deepEqual([seen.width, seen.height], [256, 256]);
  assert.deepEqual(seen.colours, [[255, 255, 255], [255, 255, 255], [0, 0, 0], [0, 0, 0]]);
  await page.getByLabel("Before and after").waitFor();
  // What is sent is what was drawn last, even if it is sent at once.
  await button(page, "Invert").click();
  const inverse = await nextRequest(page, () => generate(page).click());
  assert.deepEqual((await lookAt(page, inverse.mask_image, [[0.5, 0.25], [0.05, 0.95]])).colours.map(([r]) => r), [0, 255]);
});

scene("the mask by touch: one finger paints, two zoom and paint nothing", async (page, { context }) => {
  await visit(page, proxy.url, "inpaint");
  await field(page, "Picture file").setInputFiles(photo);
  const canvas = page.getByRole("application");
  await stillBox(canvas);
  await canvas.scrollIntoViewIfNeeded();
  const devtools = await context.newCDPSession(page);
  const touch = (type, points) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  const box = await stillBox(canvas);
  const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
  const opaque = () => canvas.evaluate((c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 127).length);
  await touch("touchStart", [at(0.3, 0.3)]);
  for (const x of [0.35, 0.4, 0.5, 0.6]) await touch("touchMove", [at(x, 0.3)]);
  await touch("touchEnd", []);
  const one = await opaque();
  assert.ok(one > 500, `${one} pixels`);
  await touch("touchStart", [at(0.45, 0.6)]);
  await touch("touchStart", [at(0.45, 0.6), at(0.55, 0.6)]);
  for (const d of [0.08, 0.12, 0.18, 0.25]) await touch("touchMove", [at(0.5 - d, 0.6), at(0.5 + d, 0.6)]);
  await touch("touchEnd", []);
  await until("zoomed in", async () => (await canvas.boundingBox()).width > box.width * 1.5 || (await canvas.boundingBox()).width);
  assert.equal(await opaque(), one);
}, { hasTouch: true, viewport: { width: 390, height: 844 } });

// ---- what the worker tells ----

scene("a sampler, a schedule, a format, fields and facts that are new in the worker need no new page", async (page) => {
  await page.route("**/v1/capabilities", async (route) => {
    const answer = await route.fetch();
    const c = await answer.json();
    c.samplers.push("brand_new");
    c.schedules.push("zigzag");
    c.formats.push("avif");
    c.precision = "bf16";
    c.devices[0].cores = 96;
    c.fields.push({ name: "sparkle", type: "real", default: 1, min: 0, max: 2, group: "light", help: "how much it sparkles" },
      { name: "glow", type: "choice", default: "soft", choices: ["soft", "hard"], group: "light", help: "kind of glow" },
      { name: "mirror", type: "switch", default: false, group: "light", help: "left and right are exchanged" });
    await route.fulfill({ response: answer, json: c });
  });
  await page.reload();
  await field(page, "Sampler").selectOption("brand_new");
  await field(page, "Schedule").selectOption("zigzag");
  await page.getByText("More settings").click();
  await field(page, "Format").selectOption("avif");
  await page.getByRole("group", { name: "Light" }).waitFor();
  await page.getByText("How much it sparkles.").waitFor();
  await field(page, "Sparkle").fill("1.5");
  await field(page, "Glow").selectOption("hard");
  await field(page, "Mirror").selectOption("true");
  await prompt(page).fill("x");
  const sent = await nextRequest(page, () => generate(page).click());
  assert.deepEqual([sent.sampler, sent.schedule, sent.format, sent.sparkle, sent.glow, sent.mirror], ["brand_new", "zigzag", "avif", 1.5, "hard", true]);
  // The worker does not know them yet: its refusals stand at the fields.
  await page.locator(".problem").first().waitFor();
  await page.goto(`${proxy.url}/#/settings`);
  for (const [name, value] of [["Precision", "bf16"], ["Cores", "96"]]) await page.locator(".table > div", { hasText: name }).filter({ hasText: value }).waitFor();
});

scene("every refused field is told at once, each at its control", async (page) => {
  await prompt(page).fill("x");
  await page.getByText("Custom size").click();
  await field(page, "Width").fill("63");
  await field(page, "Steps").fill("0");
  await field(page, "Seed").fill("18446744073709551616");
  await generate(page).click();
  await becomes("problems", () => page.locator("[aria-invalid=true]").count(), 3);
  for (const e of await page.locator("[aria-invalid=true]").all()) assert.ok(await e.evaluate((x) => document.getElementById(x.getAttribute("aria-describedby").split(" ").at(-1))?.textContent.length > 5));
  await page.locator("[aria-invalid=true]:focus").waitFor();
});

test("pull and delete are offered to whom the worker allows them, and to nobody else", async () => {
  const open = await openPage(browser, proxy.url);
  await open.page.goto(`${proxy.url}/#/settings`);
  await open.page.getByLabel("Model to download").waitFor();
  await open.context.close();
  // Through a proxy of somebody else this is no request from this machine.
  const far = await openPage(browser, proxy.url, { extraHTTPHeaders: { "x-forwarded-for": "192.0.2.7" } });
  try {
    await far.page.goto(`${proxy.url}/#/settings`);
    await far.page.locator(".tag.loaded").first().waitFor();
    await far.page.locator(".table dt", { hasText: "Precision" }).waitFor(); // by then the page knows what it may
    assert.equal(await far.page.getByLabel("Model to download").count(), 0);
    assert.equal(await far.page.getByRole("button", { name: "Delete" }).count(), 0);
    const refused = await far.page.evaluate(async () => (await fetch("v1/models/pull", { method: "POST", headers: { "content-type": "application/json" }, body: '{"model":"a/b"}' })).status);
    assert.equal(refused, 403);
  } finally {
    await far.context.close();
  }
});

test("settings: a model is fetched with progress, loaded, unloaded, deleted; memory and throughput; the theme stays", async () => {
  const root = join(place, "hub");
  mkdirSync(join(root, "acme"), { recursive: true });
  cpSync(model, join(root, "acme", "tiny"), { recursive: true });
  const hub = spawn(process.env.FAKE_HUB, ["--slow", "3", root], { stdio: ["pipe", "pipe", "ignore"] });
  const [lines] = await once(hub.stdout, "data");
  const own = await startFake([], { HF_ENDPOINT: String(lines).split("\n")[0], HF_HOME: join(place, "hf"), HOME: place, HF_HUB_DISABLE_XET: "1" }).catch((error) => {
    hub.stdin.end(); // a child that lives on would keep this process from ending
    throw error;
  });
  const { page, context, complaints } = await openPage(browser, own.url);
  try {
    await page.goto(`${own.url}/#/settings`);
    await page.getByLabel("Model to download").fill("acme/none");
    await button(page, "Download").click();
    const refused = page.locator(".job", { hasText: "acme/none" });
    await refused.locator(".tag.failed").waitFor();
    await refused.locator(".problem", { hasText: "acme/none: this repository is missing" }).waitFor();
    await button(refused, "Try again").waitFor();
    await page.evaluate(() => {
      window.told = { texts: [], shares: [] };
      new MutationObserver(() => {
        const bar = document.querySelector("progress[aria-label=Loading]");
        if (!bar || bar.value === window.told.shares.at(-1)) return;
        window.told.texts.push(bar.parentElement.textContent);
        window.told.shares.push(bar.value);
      }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    });
    await page.getByLabel("Model to download").fill("acme/tiny");
    await button(page, "Download").click();
    await refused.waitFor({ state: "detached" });
    // The download may end at any moment: what it shows is collected, then judged.
    const row = page.locator(".job", { hasText: "acme/tiny" });
    await row.getByText("unloaded").waitFor();
    const { texts, shares } = await page.evaluate(() => window.told);
    assert.ok(texts.some((t) => /^Downloading .*: [\d.]+ .?B of [\d.]+ MB, [\d.]+ .B\/s$/.test(t)), texts.join("\n"));
    assert.ok(shares.length > 1 && shares.at(-1) > shares[0], `the bar moves: ${shares}`);
    page.on("dialog", (d) => d.accept());
    await button(row, "Load").click();
    await row.locator(".tag.loaded").waitFor();
    await until("the header names it", async () => (await page.locator(".status").innerText()).includes("tiny"));
    await button(row, "Unload").click();
    await row.getByText("unloaded").waitFor();
    await row.getByRole("button", { name: "Delete" }).click();
    await row.waitFor({ state: "detached" });
    // The first model may have stayed loaded beside the other one.
    const { data } = await (await fetch(`${own.url}/v1/models`)).json();
    if (data[0].status !== "loaded") await button(page.locator(".job").first(), "Load").click();
    await page.locator(".tag.loaded").waitFor();
    await page.evaluate(async (body) => { await fetch("v1/jobs", { method: "POST", headers: { "content-type": "application/json" }, body }); }, '{"prompt":"step-ms=20","steps":4,"width":64,"height":64}');
    const fact = (name) => page.locator(".table > div", { hasText: name });
    await fact("Throughput").filter({ hasText: /[\d.]+ s per step, [\d.]+ steps per second/ }).waitFor();
    await fact("Memory of the process").filter({ hasText: /\d+ [MG]B/ }).waitFor();
    await fact("Memory of the device").filter({ hasText: /\d+/ }).waitFor();
    await page.getByText("Samplers and schedules").click();
    await page.getByText(/euler_a/).waitFor();
    await button(page, "light").click();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await button(page, "dark").click();
    await until("the colour changes", async () => (await background()) !== light || light);
    const dark = await background();
    await page.reload();
    await page.waitForSelector("h1");
    await becomes("the colour after a reload", background, dark);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await own.stop();
    hub.stdin.end();
  }
});

// ---- the queue ----

scene("places in the queue move up; one is cancelled, then all; other programs' jobs are there too", async (page) => {
  await page.goto(`${proxy.url}/#/queue`);
  await page.getByText(/Nothing is waiting/).waitFor();
  const ids = [];
  for (let i = 0; i < 9; i++) ids.push(await post(worker.url, `step-ms=1000 number ${i}`, { steps: 150, width: 64 + 8 * i }));
  const places = async () => (await page.locator(".job .tag.queued").allInnerTexts()).map((t) => Number(/place (\d+)/.exec(t)?.[1]));
  await until("four of nine run, the places of the others count from 1", async () => {
    const now = await places();
    return now.length === 5 && now.every((p, i) => p === i + 1) ? true : now;
  });
  const waiting = (await places()).length;
  await page.getByRole("button", { name: "Cancel: step-ms=1000 number 0" }).click();
  await until("all moved up", async () => {
    const now = await places();
    return now.length === waiting - 1 && now.every((p, i) => p === i + 1) ? true : now;
  });
  await page.locator(".job", { hasText: "number 8" }).getByRole("button", { name: "Show" }).click();
  await page.getByText(/Waiting, place \d/).waitFor();
  await page.goto(`${proxy.url}/#/queue`);
  await button(page, "Cancel all").click();
  await page.getByText(/Nothing is waiting/).waitFor();
  for (const id of ids) assert.equal((await (await fetch(`${worker.url}/v1/jobs/${id}`)).json()).status, "cancelled");
});

scene("a job that fails says why", async (page) => {
  await draw(page, "fail-at=2");
  await page.getByRole("alert").filter({ hasText: "The job failed." }).filter({ hasText: "INFERENCE_FAILED" }).waitFor();
  await page.goto(`${proxy.url}/#/queue`);
  await page.locator(".job.failed", { hasText: "fail-at=2" }).first().locator(".problem").waitFor();
});

// ---- the gallery ----

scene("gallery: search, several in one file, favourites, sent to other pages, deleted at the worker too", async (page) => {
  for (const [i, seed] of [1001, 1002].entries()) {
    await field(page, "Seed").fill(String(seed));
    await draw(page, `a violet ${i ? "fox" : "owl"}`);
    await page.getByText(`seed ${seed}`).waitFor();
    await until(`the picture of seed ${seed} is listed`, async () => (await listed(page))[0]?.params.seed === String(seed) || (await listed(page)));
  }
  const [last] = await listed(page);
  assert.deepEqual(Object.keys(last).sort(), ["id", "image", "params", "prompt", "timestamp"]);
  assert.ok(last.image.startsWith("data:image/jpeg;base64,") && last.prompt === "a violet fox" && last.params.seed === "1002");
  await page.goto(`${proxy.url}/#/gallery`);
  const search = field(page, "Search prompts");
  const tiles = page.getByRole("button", { name: /^Open/ });
  await search.fill("violet owl");
  await until("one owl", async () => (await tiles.count()) === 1);
  await search.fill("1002 violet");
  await page.getByRole("button", { name: "Open: a violet fox" }).waitFor();
  await search.fill("violet");
  await until("both", async () => (await tiles.count()) === 2);
  await button(page, "Select all").click();
  const zip = page.waitForEvent("download");
  await button(page, "Download 2").click();
  const file = await (await zip).path();
  const listing = spawnSync("python3", ["-c", "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nfor n in z.namelist(): print(n, z.read(n)[1:4].decode())", file], { encoding: "utf8" });
  assert.match(listing.stdout, /^(generated_job-\S+\.png PNG\n){2}$/, listing.stderr);
  await tiles.first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1002", { exact: true }).waitFor();
  await dialog.getByText("by the worker, in this browser").waitFor();
  await dialog.getByRole("button", { name: "Favourite" }).click();
  await page.keyboard.press("Escape");
  await button(page, "Favourites").click();
  await until("one favourite", async () => (await tiles.count()) === 1);
  for (const [name, heading] of [["Image to image", "Image to image"], ["Inpaint", "Inpainting"]]) {
    await page.goto(`${proxy.url}/#/gallery`);
    await field(page, "Search prompts").fill("violet fox");
    await tiles.first().click();
    await dialog.getByRole("button", { name, exact: true }).click();
    await page.getByRole("heading", { name: heading }).waitFor();
    await page.getByAltText("Input").waitFor();
    await becomes("the prompt", () => prompt(page).inputValue(), "a violet fox");
  }
  await page.goto(`${proxy.url}/#/gallery`);
  const { jobs } = await (await fetch(`${worker.url}/v1/outputs?limit=1`)).json();
  await field(page, "Search prompts").fill("violet fox");
  await tiles.first().click();
  page.on("dialog", (d) => d.accept());
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("Nothing matches.").waitFor();
  assert.equal((await fetch(`${worker.url}/v1/outputs/${jobs[0].outputs[0].id}`)).status, 404);
});

const noDatabase = () => { Object.defineProperty(window, "indexedDB", { get: () => { throw new DOMException("no", "SecurityError"); } }); };
const noStorage = () => { for (const k of ["localStorage", "sessionStorage"]) Object.defineProperty(window, k, { get: () => { throw new DOMException("no", "SecurityError"); } }); };
const fullDatabase = () => { IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); }; };

for (const [name, script, said] of [
  ["no storage at all", [noDatabase, noStorage], "keeps no pictures here"], ["a full database", [fullDatabase], "storage is full"],
]) {
  scene(`${name}: said, not fatal`, async (page, { context }) => {
    for (const s of script) await context.addInitScript(s);
    await page.reload();
    await draw(page, `a picture in ${name}`);
    await finished(page).waitFor();
    if (script.includes(fullDatabase)) await page.getByRole("alert").filter({ hasText: said }).waitFor();
    await page.goto(`${proxy.url}/#/gallery`);
    await page.locator(".box", { hasText: said }).waitFor();
    await page.getByRole("button", { name: `Open: a picture in ${name}` }).click();
    await page.getByRole("dialog").getByText("by the worker", { exact: true }).waitFor();
  });
}

// ---- around the forms ----

scene("earlier prompts, the sheet of keys, and every key on it", async (page) => {
  await drawn(page, () => draw(page, "step-ms=1 first prompt"));
  await drawn(page, () => draw(page, "step-ms=1 second prompt"));
  await page.getByLabel("Earlier prompts").selectOption("step-ms=1 first prompt");
  await becomes("the prompt", () => prompt(page).inputValue(), "step-ms=1 first prompt");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  const shown = await page.getByRole("dialog").locator("dt").allInnerTexts();
  for (const key of ["Ctrl", "Esc", "/", "s", "r", "1", "6", "?", "[", "]", "Arrows"]) assert.ok(shown.some((t) => t.includes(key)), `${key} is not on the sheet`);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const download = page.waitForEvent("download");
  await page.keyboard.press("s");
  assert.match((await download).suggestedFilename(), /^generated_job-.*\.png$/);
  await page.keyboard.press("r");
  await until("the seed stands in the form", async () => /^\d+$/.test(await field(page, "Seed").inputValue()));
  for (const [key, heading] of [["2", "Image to image"], ["3", "Inpainting"], ["4", "Gallery"], ["5", "Queue"], ["6", "Settings"], ["1", "Text to image"]]) {
    await page.keyboard.press(key);
    await page.getByRole("heading", { name: heading, exact: true }).waitFor();
  }
  await page.keyboard.press("/");
  await page.locator("textarea:focus").waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("step-ms=500 x");
  await field(page, "Steps").fill("150");
  await page.keyboard.press("Control+Enter");
  await page.getByText(/Step \d+ of 150/).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Escape");
  await page.getByText("The job was cancelled.").waitFor();
});

scene("on a phone the button brings the picture into view", async (page) => {
  await prompt(page).fill("step-ms=500");
  await makeSmall(page, 100);
  await page.evaluate(() => scrollTo(0, 700)); // nothing but the form in view
  await generate(page).click();
  await page.getByText(/Step \d+ of 100/).waitFor();
  await until("the progress is in view", () => running(page).evaluate((e) => { const b = e.getBoundingClientRect(); return b.top > 0 && b.bottom < innerHeight; }));
  await button(page, "Cancel").click();
  await page.getByText("The job was cancelled.").waitFor();
}, { viewport: { width: 360, height: 740 }, hasTouch: true });

scene("live previews, time left, and several pictures at once", async (page) => {
  await draw(page, "hold-at=25", 30);
  await page.getByAltText("Preview").waitFor();
  await page.getByText(/[\d.]+ s left/).waitFor();
  worker.release();
  await finished(page).waitFor();
  await prompt(page).fill("three at once");
  await field(page, "Pictures").fill("3");
  await generate(page).click();
  await page.getByAltText("Picture 3 of 3").waitFor();
  assert.equal(await page.locator(".canvas.many img").count(), 3);
  await shot(page, "text-three");
});
