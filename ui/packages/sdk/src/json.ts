// json.ts - JSON whose seeds keep all 64 bits: JavaScript's numbers end at 2^53.

/** Whole numbers above 2^53 become bigint; the rest is JSON.parse. */
export function parse(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // Strings are stepped over, so that digits inside them stay what they are.
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (piece) =>
    /^-?\d{16,}$/.test(piece) && !Number.isSafeInteger(Number(piece)) ? `"\\u0000big:${piece}"` : piece);
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith("\u0000big:") ? BigInt(value.slice(5)) : value);
}

/** JSON.stringify with bigint as plain digits. */
export function stringify(value: unknown): string {
  const text = JSON.stringify(value, (_key, v: unknown) => (typeof v === "bigint" ? `\u0000big:${v}` : v));
  return text.replace(/"\\u0000big:(-?\d+)"/g, "$1");
}
