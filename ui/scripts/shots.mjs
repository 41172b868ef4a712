// shots.mjs OUT - the page as it looks with pictures in it, for the README: SDW=build/sdw node scripts/shots.mjs ../docs/pictures

import { mkdirSync } from "node:fs";
import { openPage, prompt, generate, startBrowser, startWorker } from "../e2e/harness.mjs";

const out = process.argv[2];
mkdirSync(out, { recursive: true });
const worker = await startWorker();
const browser = await startBrowser();

async function draw(text, seed) {
  const answer = await fetch(`${worker.url}/v1/jobs`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ prompt: text, seed, guidance_scale: 4, steps: 20 }),
  });
  const { sse_url } = await answer.json();
  await (await fetch(worker.url + sse_url)).text();
}
const save = (page, name) => page.screenshot({ path: `${out}/${name}.jpg`, type: "jpeg", quality: 80 });

const gallery = ["3d red apple on a teal background", "flat cat face on a purple background", "classic rocket on a blue background", "3d robot on a green background",
  "classic penguin on a teal background", "flat house on a yellow background", "3d castle on a gray background", "classic turtle on a orange background"];
for (const [i, text] of gallery.entries()) await draw(text, 7 + i);

const desk = { viewport: { width: 1180, height: 800 } };
{
  const { page, context } = await openPage(browser, worker.url, { ...desk, colorScheme: "light" });
  await prompt(page).fill("3d red apple on a teal background");
  await page.getByLabel("Guidance", { exact: true }).fill("4");
  await page.getByLabel("Seed", { exact: true }).fill("7");
  await generate(page).click();
  await page.getByRole("button", { name: "Download" }).waitFor({ timeout: 120_000 });
  await page.getByRole("heading", { name: "Text to image" }).click();
  await save(page, "page-text");
  await context.close();
}
{
  const { page, context } = await openPage(browser, worker.url, { viewport: { width: 1180, height: 590 }, colorScheme: "dark" });
  await page.goto(`${worker.url}/#/gallery`);
  await page.getByRole("button", { name: /^Open/ }).first().waitFor();
  await page.waitForTimeout(800);
  await save(page, "page-gallery");
  await context.close();
}
{
  const { page, context } = await openPage(browser, worker.url, { viewport: { width: 390, height: 800 }, deviceScaleFactor: 1.5, colorScheme: "light" });
  await page.goto(`${worker.url}/#/inpaint`);
  await page.getByLabel("Picture file").setInputFiles(new URL("../../demo/photos/coffee.jpg", import.meta.url).pathname);
  const canvas = page.getByRole("application");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  for (let y = 0.25; y < 0.7; y += 0.07) {
    await page.mouse.move(box.x + box.width * 0.33, box.y + box.height * y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.66, box.y + box.height * y, { steps: 4 });
    await page.mouse.up();
  }
  await page.waitForTimeout(300);
  await save(page, "page-inpaint");
  await context.close();
}
await browser.close();
await worker.stop();
