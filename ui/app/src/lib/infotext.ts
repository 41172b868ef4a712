// infotext.ts - AUTOMATIC1111's "parameters" text and our own JSON, read into request fields.

import { parseJson } from "@sd-worker/sdk";
import type { PngTexts } from "./pngText";

export type Fields = Record<string, unknown>;

const NUMBERS: Record<string, string> = { "Steps": "steps", "CFG scale": "guidance_scale", "Denoising strength": "strength" };

/** Fields of a parameters text. Unknown keys are left out. */
export function fieldsOfInfotext(text: string): Fields {
  const lines = text.trim().split("\n");
  const fields: Fields = {};
  const last = lines.at(-1) ?? "";
  const pairs = [...last.matchAll(/\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g)];
  if (pairs.length >= 3) {
    lines.pop();
    for (const [, key = "", raw = ""] of pairs) {
      const value = raw.startsWith('"') ? unquoted(raw) : raw.trim();
      const size = /^(\d+)x(\d+)$/.exec(value);
      if (NUMBERS[key] && Number.isFinite(Number(value))) fields[NUMBERS[key]] = Number(value);
      else if (key === "Seed" && /^\d+$/.test(value)) fields["seed"] = parseJson(value);
      else if (key === "Size" && size) { fields["width"] = Number(size[1]); fields["height"] = Number(size[2]); }
      else if (key === "Sampler") fields["sampler"] = value;
      else if (key === "Schedule type" && value !== "Automatic") fields["schedule"] = value;
    }
  }
  const negative = lines.findIndex((l) => l.startsWith("Negative prompt:"));
  fields["prompt"] = (negative < 0 ? lines : lines.slice(0, negative)).join("\n").trim();
  if (negative >= 0) fields["negative_prompt"] = lines.slice(negative).join("\n").replace(/^Negative prompt:\s*/, "").trim();
  return fields;
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Names that the request on disk and the request on the wire spell differently. */
const WIRE_NAMES: Record<string, string> = { guidance: "guidance_scale", count: "num_samples" };
const NOT_FIELDS = ["sdw", "model", "family", "backend", "config_dir", "variant", "prediction", "init_image_sha256", "mask_sha256"];

/** A request as the worker keeps it, in the names of a new request. */
export function wireFields(kept: Fields): Fields {
  return Object.fromEntries(Object.entries(kept).filter(([k]) => !NOT_FIELDS.includes(k)).map(([k, v]) => [WIRE_NAMES[k] ?? k, v]));
}

/** What a picture's texts say about how to draw it again; undefined if nothing. */
export function fieldsOfTexts(texts: PngTexts): Fields | undefined {
  for (const text of Object.values(texts)) {
    if (!text.startsWith('{"sdw"')) continue;
    try {
      return wireFields(parseJson(text) as Fields);
    } catch {
      // damaged: the other text may be whole
    }
  }
  const parameters = texts["parameters"];
  return parameters ? fieldsOfInfotext(parameters) : undefined;
}
