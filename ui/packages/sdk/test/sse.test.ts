import { expect, test } from "vitest";
import { SSEParser } from "../src/index.js";

const text = ': hello\n\nid: 1\nevent: progress\ndata: {"step":1}\n\ndata: a\ndata:  b\nretry: 5\n\nid: 2\ndata: [DONE]\n\ndata: cut off';

test("messages do not depend on how the text was cut", () => {
  const whole = new SSEParser().push(text);
  expect(whole).toEqual([
    { id: "1", event: "progress", data: '{"step":1}' },
    { id: undefined, event: "message", data: "a\n b" },
    { id: "2", event: "message", data: "[DONE]" },
  ]);
  for (const ending of ["\n", "\r\n", "\r"]) {
    const variant = text.replaceAll("\n", ending);
    for (let cut = 0; cut <= variant.length; cut++) {
      const parser = new SSEParser();
      expect([...parser.push(variant.slice(0, cut)), ...parser.push(variant.slice(cut))]).toEqual(whole);
    }
  }
});
