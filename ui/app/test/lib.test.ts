import { expect, test } from "vitest";
import { fieldsOfInfotext, fieldsOfTexts } from "../src/lib/infotext";
import { pngTexts } from "../src/lib/pngText";
import { add, emptyMask, redo, undo } from "../src/lib/strokes";
import { crc32, zipOf } from "../src/lib/zip";
import { curl, javascript, python } from "../src/lib/snippets";

function png(chunks: [string, Uint8Array][]): Uint8Array {
  const parts: number[] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  for (const [type, data] of chunks) parts.push(0, 0, data.length >> 8, data.length & 255, ...new TextEncoder().encode(type), ...data, 0, 0, 0, 0);
  return Uint8Array.from(parts);
}
const bytes = (text: string) => new TextEncoder().encode(text);

test("texts of a PNG, Latin-1 and UTF-8, until IEND", () => {
  const file = png([
    ["tEXt", Uint8Array.from([...bytes("parameters\0caf"), 0xe9])], ["iTXt", bytes("sdw\0\0\0en\0\0猫")], ["IDAT", bytes("x")], ["IEND", bytes("")], ["tEXt", bytes("late\0no")],
  ]);
  expect(pngTexts(file)).toEqual({ parameters: "café", sdw: "猫" });
});

test("damaged and foreign files give nothing and do not throw", () => {
  const file = png([["tEXt", bytes("a\0b")], ["iTXt", bytes("x\0\0")]]);
  for (let n = 0; n <= file.length; n++) expect(() => pngTexts(file.slice(0, n))).not.toThrow();
  expect(pngTexts(bytes("GIF89a"))).toEqual({});
});

test("a parameters text of another program", () => {
  const text = 'a cat, (sitting:1.2)\nsecond line\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, Model: "a, b"';
  expect(fieldsOfInfotext(text)).toEqual({
    prompt: "a cat, (sitting:1.2)\nsecond line", negative_prompt: "blurry", steps: 20, sampler: "Euler a", schedule: "Karras", guidance_scale: 7.5,
    seed: 18446744073709551615n, width: 512, height: 768,
  });
});

test("a text without the line of pairs is all prompt", () => {
  expect(fieldsOfInfotext("just words: and more")).toEqual({ prompt: "just words: and more" });
});

test("our own JSON wins and is spelled as on the wire", () => {
  const fields = fieldsOfTexts({ parameters: "x", sdw: '{"sdw":"0.1.0","model":"/m","prompt":"a cat","guidance":4,"seed":7,"count":2}' });
  expect(fields).toEqual({ prompt: "a cat", guidance_scale: 4, seed: 7, num_samples: 2 });
});

test("undo and redo", () => {
  const one = add(emptyMask, { kind: "invert" });
  const two = add(one, { kind: "clear" });
  expect(undo(two).done).toEqual(one.done);
  expect(redo(undo(two))).toEqual(two);
  expect(add(undo(two), { kind: "fill" }).undone).toEqual([]);
  expect(undo(emptyMask)).toBe(emptyMask);
});

test("zip: known CRC, names and sizes where readers look for them", async () => {
  expect(crc32(bytes("123456789"))).toBe(0xcbf43926);
  const zip = new Uint8Array(await (await zipOf([{ name: "a.png", blob: new Blob(["hello"]) }, { name: "ä.png", blob: new Blob(["!"]) }])).arrayBuffer());
  const view = new DataView(zip.buffer);
  const end = zip.length - 22;
  expect(view.getUint32(end, true)).toBe(0x06054b50);
  expect(view.getUint16(end + 10, true)).toBe(2);
  const directory = view.getUint32(end + 16, true);
  expect(view.getUint32(directory, true)).toBe(0x02014b50);
  expect(view.getUint32(directory + 42, true)).toBe(0);
  expect(view.getUint32(view.getUint32(directory + 46 + 5 + 42, true), true)).toBe(0x04034b50);
});

test("code snippets: quotes of every language, seeds digit for digit, pictures from files", () => {
  const request = { operation: "image_transform" as const, prompt: "it's \"x\" $HOME `id` \\ '''", seed: 18446744073709551615n, paste_back: true, input_image: "AAAA" };
  for (const [language, text] of Object.entries({ curl: curl("http://h", request, true), javascript: javascript("http://h", request, true), python: python("http://h", request, true) })) {
    expect(text, language).toContain("18446744073709551615");
    expect(text, language).not.toContain("AAAA");
    expect(text, language).toContain("input_image.png");
    expect(text, language).toContain("SDW_API_KEY");
  }
  expect(curl("http://h", request, true)).toContain("\\$HOME \\`id\\`");
  expect(python("http://h", request, true)).toContain("True");
  expect(curl("http://h", { prompt: "it's" }, false)).toContain("it'\\''s");
  expect(python("http://h", { prompt: "x" }, false)).not.toContain("environ");
});
