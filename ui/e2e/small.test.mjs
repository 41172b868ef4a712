// small.test.mjs - the hand-written page that the program carries where the full one could not be built.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { becomes, openPage, scenes, shot, startBrowser, startFake } from "./harness.mjs";

const folder = fileURLToPath(new URL("../../src/server/page", import.meta.url));
const photo = fileURLToPath(new URL("../../demo/photos/chelsea.jpg", import.meta.url));
let worker, browser;
before(async () => {
  worker = await startFake(["--ui-dir", folder]);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  assert.equal(await worker?.stop(), 0);
});
const scene = scenes(() => browser, () => worker.url);

async function fill(page, prompt, steps) {
  await page.getByLabel("Prompt", { exact: true }).fill(prompt);
  for (const [name, value] of Object.entries({ Width: 64, Height: 64, Steps: steps })) await page.getByLabel(name).fill(String(value));
}
const draw = (page) => page.getByRole("button", { name: "Draw" }).click();
const done = (page) => page.getByText(/^Done in/).waitFor();

test("under 20 KB in all", () => {
  const bytes = readdirSync(folder).reduce((n, f) => n + statSync(`${folder}/${f}`).size, 0);
  assert.ok(bytes > 2000 && bytes < 20_000, `${bytes} bytes`);
});

scene("a picture with its progress, its seed kept and given", async (page) => {
  await page.getByText(/on cpu:0, ready/).waitFor();
  await fill(page, "hold-at=15", 30);
  await draw(page);
  await page.getByText("Step 14 of 30").waitFor();
  assert.ok(await page.getByLabel("Progress").evaluate((b) => b.value > 0 && b.value < 1));
  worker.release();
  await page.getByText(/^Done in/).waitFor();
  const picture = page.getByRole("img");
  await becomes("the picture's size", () => picture.evaluate((i) => [i.naturalWidth, i.naturalHeight]), [64, 64]);
  const seed = /seed (\d+)/.exec(await page.locator("#status").innerText())[1];
  await page.getByRole("button", { name: "Keep this seed" }).click();
  assert.equal(await page.getByLabel("Seed").inputValue(), seed);
  const first = await picture.getAttribute("src");
  await draw(page);
  worker.release();
  await page.getByText(/^Done in/).waitFor();
  assert.equal(await picture.getAttribute("src"), first, "the same seed draws the same picture");
  await page.getByLabel("Seed").fill("18446744073709551615");
  await draw(page);
  worker.release();
  await page.getByText(/seed 18446744073709551615/).waitFor();
  await shot(page, "small-done");
});

scene("a job is cancelled", async (page) => {
  await fill(page, "step-ms=500", 150);
  await draw(page);
  await page.getByText(/Step \d+ of 150/).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("Cancelled.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Draw" }).isEnabled(), true);
});

scene("from a picture; what is refused and what fails is said", async (page) => {
  await fill(page, "a cat", 4);
  await page.getByLabel("Picture", { exact: true }).setInputFiles(photo);
  await draw(page);
  await done(page);
  await page.locator("#form").evaluate((f) => { f.noValidate = true; });
  await page.getByLabel("Steps").fill("151");
  await draw(page);
  await page.getByText(/Steps must be between 1 and 150, got 151/).waitFor();
  await fill(page, "fail-at=2", 4);
  await draw(page);
  await page.getByText("Failed.").waitFor();
  assert.ok((await page.locator("#error").innerText()).length > 10);
});

scene("keyboard alone", async (page) => {
  await page.locator("#prompt:focus").waitFor(); // by autofocus, after the page is loaded
  await page.keyboard.type("a moon");
  for (let i = 0; i < 20 && (await page.evaluate(() => document.activeElement.id)) !== "steps"; i++) await page.keyboard.press("Tab");
  await page.keyboard.type("2");
  await page.keyboard.press("Enter");
  await done(page);
});

test("with a key", async () => {
  const locked = await startFake(["--ui-dir", folder], { SDW_API_KEY: "s3cret" });
  const { page, context } = await openPage(browser, locked.url);
  try {
    await page.getByLabel("API key").fill("s3cret");
    await page.getByLabel("API key").blur();
    await page.getByText(/on cpu:0, ready/).waitFor();
    await fill(page, "a cat", 2);
    await draw(page);
    await done(page);
  } finally {
    await context.close();
    await locked.stop();
  }
});

test("360 pixels, light and dark: nothing sticks out, axe finds nothing", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await openPage(browser, worker.url, { viewport: { width: 360, height: 740 }, colorScheme });
    try {
      await page.getByText(/on cpu:0, ready/).waitFor();
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 360, `${width} pixels wide`);
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map((v) => `${colorScheme}: ${v.id}: ${v.nodes[0]?.html}`), []);
      await shot(page, `small-phone-${colorScheme}`);
    } finally {
      await context.close();
    }
  }
});
