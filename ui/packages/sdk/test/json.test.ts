import { expect, test } from "vitest";
import { parseJson, stringifyJson } from "../src/index.js";

test("64-bit seeds survive both ways", () => {
  const text = '{"seed":18446744073709551615,"list":[9007199254740993,1],"text":"12345678901234567890 \\"99999999999999999999\\"","real":0.12345678901234567}';
  const value = parseJson(text) as { seed: bigint; list: unknown[]; text: string; real: number };
  expect(value.seed).toBe(18446744073709551615n);
  expect(value.list).toEqual([9007199254740993n, 1]);
  expect(value.text).toBe('12345678901234567890 "99999999999999999999"');
  expect(value.real).toBe(0.12345678901234567);
  expect(stringifyJson({ seed: value.seed, n: 1, s: "x" })).toBe('{"seed":18446744073709551615,"n":1,"s":"x"}');
});

test("numbers that a double holds exactly stay numbers", () => {
  expect(parseJson("[9007199254740991, 1234567890123456]")).toEqual([9007199254740991, 1234567890123456]);
});
