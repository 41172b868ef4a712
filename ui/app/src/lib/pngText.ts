// pngText.ts - the texts inside a PNG: what made the picture. Reads tEXt and uncompressed iTXt; the file may come from anywhere.

export type PngTexts = Record<string, string>;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const TEXT_MAX = 1 << 20;

/** Every text chunk by its keyword; {} if this is no PNG or it has none. */
export function pngTexts(bytes: Uint8Array): PngTexts {
  const found: PngTexts = {};
  if (bytes.length < 8 || SIGNATURE.some((b, i) => bytes[i] !== b)) return found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const latin = new TextDecoder("latin1");
  const utf8 = new TextDecoder("utf-8");
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const type = latin.decode(bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (data.length < length || type === "IEND") break;
    if ((type === "tEXt" || type === "iTXt") && length <= TEXT_MAX) {
      const end = data.indexOf(0);
      const keyword = latin.decode(data.subarray(0, Math.max(0, end)));
      if (end > 0 && type === "tEXt") found[keyword] = latin.decode(data.subarray(end + 1));
      else if (end > 0 && data[end + 1] === 0) {
        const language = data.indexOf(0, end + 3);
        const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
        if (translated >= 0) found[keyword] = utf8.decode(data.subarray(translated + 1));
      }
    }
    at += 12 + length;
  }
  return found;
}
