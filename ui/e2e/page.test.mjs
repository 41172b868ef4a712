// page.test.mjs - each page does its job, against the real program with the demo model.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFileSync } from "node:fs";
import {
  becomes, drawn, factsOf, finished, generate, listed, makeSmall, prompt, scenes, shot, startBrowser, startWorker, stillBox, until, visit,
} from "./harness.mjs";

let worker, browser;
const photo = new URL("../../demo/photos/chelsea.jpg", import.meta.url).pathname;

before(async () => {
  worker = await startWorker();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  assert.equal(await worker?.stop(), 0);
});

const scene = scenes(() => browser, () => worker.url);

/** Long, since the machine may have other work. */
const ended = (page) => finished(page).waitFor({ timeout: 180_000 });

async function draw(page, text, steps = 4, side = 64) {
  await prompt(page).fill(text);
  await makeSmall(page, steps, side);
  await generate(page).click();
}
/** A job that no machine finishes before it is cancelled. */
const drawLong = (page, text) => draw(page, text, 150, 512);

scene("a prompt becomes a picture; progress is shown; the seed can be used again", async (page) => {
  const progress = page.waitForFunction(() => document.querySelector("progress[aria-label=Progress]")); // looked for at every frame
  await draw(page, "a 3d red apple on a blue background", 20);
  await progress;
  await ended(page);
  const picture = page.getByAltText("Picture 1 of 1");
  await becomes("the picture's size", () => picture.evaluate((i) => [i.naturalWidth, i.naturalHeight]), [64, 64]);
  const facts = await factsOf(page);
  const seed = /seed (\d+)/.exec(facts)?.[1];
  assert.ok(seed, facts);
  await page.getByRole("button", { name: "Reuse seed" }).click();
  await becomes("the seed", () => page.getByLabel("Seed", { exact: true }).inputValue(), seed);
  await shot(page, "text-finished");
});

scene("a running job is cancelled", async (page) => {
  await drawLong(page, "a cat");
  await page.getByText(/Step \d+ of 150/).waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByText("The job was cancelled.").waitFor();
});

scene("what the worker refuses stands at the field", async (page) => {
  await prompt(page).fill("a house");
  await page.getByLabel("Steps", { exact: true }).fill("151");
  await generate(page).click();
  await page.locator(".problem", { hasText: "Steps must be between 1 and 150, got 151" }).waitFor();
  assert.equal(await page.getByLabel("Steps", { exact: true }).getAttribute("aria-invalid"), "true");
  await prompt(page).fill("");
  await generate(page).click();
  await page.getByText("Say what to draw").waitFor();
  await shot(page, "text-error");
});

scene("the keyboard alone is enough", async (page) => {
  await page.waitForSelector("h1");
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("/");
  await becomes("in focus", () => page.evaluate(() => document.activeElement?.tagName), "TEXTAREA");
  await page.keyboard.type("a red heart");
  const steps = page.getByLabel("Steps", { exact: true });
  for (let i = 0; i < 40 && !(await steps.evaluate((e) => e === document.activeElement)); i++) await page.keyboard.press("Tab");
  await page.keyboard.type("3");
  await page.keyboard.press("Control+Enter");
  await ended(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("5");
  await page.getByRole("heading", { name: "Queue" }).waitFor();
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: "Text to image" }).waitFor();
});

scene("image to image: a photo goes in, before and after can be compared", async (page) => {
  await visit(page, worker.url, "image");
  await page.getByLabel("Picture file").setInputFiles(photo);
  await page.getByAltText("Input").waitFor();
  await prompt(page).fill("a 3d cat face on an orange background");
  await page.getByLabel("Steps", { exact: true }).fill("4");
  await page.getByLabel("Strength", { exact: true }).fill("0.5");
  await generate(page).click();
  await ended(page);
  const slider = page.getByLabel("Before and after");
  await slider.fill("20");
  await until("the curtain moves", async () => (await page.getByAltText("Before").evaluate((e) => e.style.clipPath)).includes("80%"));
  await shot(page, "image-finished");
});

scene("inpainting: brush, undo, redo, invert, clear; the mask is what was painted", async (page) => {
  await visit(page, worker.url, "inpaint");
  await prompt(page).fill("a red ball");
  await generate(page).click();
  await page.getByText("Choose a picture first").waitFor();
  await page.getByLabel("Picture file").setInputFiles(photo);
  const canvas = page.getByRole("application");
  await canvas.waitFor();
  await generate(page).click();
  await page.locator(".problem", { hasText: "Paint over" }).waitFor();
  const painted = () => canvas.evaluate((c) => {
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < d.length; i += 4) if (d[i] > 127) n++;
    return n / (d.length / 4);
  });
  const box = await stillBox(canvas);
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.3);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5, { steps: 6 });
  await page.mouse.up();
  const stroke = await painted();
  assert.ok(stroke > 0.005 && stroke < 0.2, `painted ${stroke}`);
  await page.getByRole("button", { name: "Undo" }).click();
  await becomes("painted after undo", painted, 0);
  await page.getByRole("button", { name: "Redo" }).click();
  await becomes("painted after redo", painted, stroke);
  await page.getByRole("button", { name: "Invert" }).click();
  await until("the inverse is painted", async () => Math.abs((await painted()) - (1 - stroke)) < 0.02 || (await painted()));
  await page.getByRole("button", { name: "Clear" }).click();
  await becomes("painted after clear", painted, 0);
  await canvas.focus();
  await page.keyboard.press("Space");
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+ArrowRight");
  await until("painted by keys", async () => (await painted()) > 0.001 || (await painted()));
  await page.getByRole("button", { name: "Zoom in" }).click();
  await page.getByRole("button", { name: "150 %" }).waitFor();
  await page.getByLabel("Steps", { exact: true }).fill("3");
  await generate(page).click();
  await ended(page);
  await shot(page, "inpaint-finished");
});

scene("gallery: found, opened, used again, downloaded, deleted; it survives a reload", async (page) => {
  for (const [i, words] of ["a purple octopus", "a brown bear"].entries()) {
    await drawn(page, () => draw(page, words));
    await until(`${words} is kept`, async () => (await listed(page)).length === i + 1 || (await listed(page)));
  }
  await visit(page, worker.url, "gallery");
  await page.reload();
  await page.getByLabel("Search prompts").fill("octopus");
  const tile = page.getByRole("button", { name: "Open: a purple octopus" }).first();
  await tile.click();
  await page.getByRole("dialog").getByText("by the worker, in this browser").waitFor();
  await shot(page, "gallery-detail");
  const download = page.waitForEvent("download");
  await page.getByRole("dialog").getByRole("button", { name: "Download" }).click();
  const file = await download;
  assert.match(file.suggestedFilename(), /^generated_.*\.png$/);
  const bytes = readFileSync(await file.path());
  assert.deepEqual([...bytes.subarray(1, 4)], [0x50, 0x4e, 0x47]);
  await page.getByRole("dialog").getByRole("button", { name: "Reuse parameters" }).click();
  await becomes("the prompt", () => prompt(page).inputValue(), "a purple octopus");
  await visit(page, worker.url, "gallery");
  await page.getByRole("button", { name: "Open: a brown bear" }).waitFor();
  await page.getByRole("button", { name: "Select all" }).click();
  const zip = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Download \d+/ }).click();
  assert.match((await zip).suggestedFilename(), /\.zip$|\.png$/);
  await page.getByLabel("Search prompts").fill("octopus");
  page.on("dialog", (d) => d.accept());
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByText("Nothing matches.").waitFor();
  await page.getByLabel("Search prompts").fill("bear");
  await page.getByRole("button", { name: "Open: a brown bear" }).waitFor();
});

scene("a picture dropped on the page fills the form", async (page) => {
  await page.getByLabel("Seed", { exact: true }).fill("77");
  await draw(page, "a blue whale, (very:1.2) calm", 5);
  await page.waitForFunction(() => /seed 77/.test(document.querySelector(".facts")?.textContent ?? ""));
  const download = page.waitForEvent("download");
  await finished(page).click();
  const bytes = readFileSync(await (await download).path());
  await prompt(page).fill("something else");
  await page.evaluate((list) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(list)], "x.png", { type: "image/png" }));
    document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, [...bytes]);
  await page.getByText("Parameters read from the picture").waitFor();
  await becomes("the prompt", () => prompt(page).inputValue(), "a blue whale, (very:1.2) calm");
  assert.equal(await page.getByLabel("Seed", { exact: true }).inputValue(), "77");
  assert.equal(await page.getByLabel("Steps", { exact: true }).inputValue(), "5");
});

scene("the queue shows every job and cancels one", async (page) => {
  await drawLong(page, "first long one");
  await page.getByText(/Step \d+ of 150/).waitFor();
  await visit(page, worker.url, "queue");
  await page.getByText("first long one").first().waitFor();
  await shot(page, "queue-running");
  await page.getByRole("button", { name: "Cancel: first long one" }).first().click();
  await page.locator(".job.cancelled", { hasText: "first long one" }).first().waitFor();
});

scene("settings: the loaded model, the device, themes; controls come from the worker", async (page) => {
  await visit(page, worker.url, "settings");
  await page.locator(".tag.loaded").first().waitFor();
  await page.getByRole("button", { name: "dark" }).click();
  await becomes("the theme", () => page.evaluate(() => document.documentElement.dataset.theme), "dark");
  const capabilities = await (await fetch(worker.url + "/v1/capabilities")).json();
  await visit(page, worker.url, "text");
  await becomes("the samplers offered", async () => (await page.getByLabel("Sampler", { exact: true }).locator("option").allInnerTexts()).slice(1), capabilities.samplers);
});
