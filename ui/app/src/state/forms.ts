// forms.ts - what the user has typed on each page; kept from visit to visit, pictures only while the page is open.

import type { Capabilities, FieldInfo, JobRequest } from "@sd-worker/sdk";
import type { Photo } from "../lib/bytes";
import { savedStore } from "../lib/saved";
import { createStore, type Store } from "../lib/store";

export type Mode = "text" | "image" | "inpaint";

/** Values by field name; a field that is absent takes the model's default. */
export type Values = Record<string, unknown>;

export interface SeedChoice { kind: "random" | "fixed"; value: string }

export interface Form { prompt: string; negative: string; seed: SeedChoice; values: Values }
const fresh: Form = { prompt: "", negative: "", seed: { kind: "random", value: "" }, values: {} };

export const forms: Record<Mode, Store<Form>> = {
  text: savedStore("sd_worker_form_text", fresh),
  image: savedStore("sd_worker_form_image", fresh),
  inpaint: savedStore("sd_worker_form_inpaint", fresh),
};

export const photos: Record<"image" | "inpaint", Store<Photo | null>> = { image: createStore<Photo | null>(null), inpaint: createStore<Photo | null>(null) };
/** Of the newest strokes; null while nothing is drawn. */
export const mask = createStore<Promise<Blob> | null>(null);

export const history = savedStore<string[]>("sd_worker_prompts", [], "local", true);
const HISTORY_MAX = 100;

export function remember(prompt: string): void {
  history.set((all) => [prompt, ...all.filter((p) => p !== prompt)].slice(0, HISTORY_MAX));
}

/** Fields with a control of their own on the page; everything else of the worker's list stands under "More". */
const SPOKEN_FOR = new Set([
  "prompt", "negative_prompt", "steps", "guidance", "guidance_scale", "seed", "width", "height", "num_samples", "count", "sampler", "schedule", "strength",
  "operation", "model", "preview_every", "preview", "timeout_s", "hive_id", "worker_id", "loras",
]);
const PAINT_ONLY = /mask|inpaint|paste/;

/** The worker's other fields that make sense in this mode. */
export function moreFields(capabilities: Capabilities | null, mode: Mode): FieldInfo[] {
  return (capabilities?.fields ?? []).filter((f) =>
    f.type !== "picture" && !SPOKEN_FOR.has(f.name) && (mode === "inpaint" || !PAINT_ONLY.test(f.name)) && (mode !== "text" || f.name !== "resize"));
}

export function field(capabilities: Capabilities | null, ...names: string[]): FieldInfo | undefined {
  return capabilities?.fields?.find((f) => names.includes(f.name));
}

/** The request of a form, without pictures. */
export function requestOf(mode: Mode, form: Form): JobRequest {
  const operations = { text: "image_generation", image: "image_transform", inpaint: "image_inpaint" } as const;
  const request: JobRequest = { operation: operations[mode], prompt: form.prompt.trim() };
  if (form.negative.trim()) request.negative_prompt = form.negative.trim();
  if (form.seed.kind === "fixed" && /^\d+$/.test(form.seed.value)) {
    const big = BigInt(form.seed.value);
    request.seed = big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
  }
  for (const [name, value] of Object.entries(form.values)) if (value !== undefined && value !== "" && value !== null) request[name] = value;
  if (mode === "text") delete request.strength;
  return request;
}

/** Puts the fields of a finished request back into a form. */
export function fillForm(mode: Mode, fields: Record<string, unknown>, withSeed = true): void {
  const { prompt, negative_prompt, seed, ...rest } = fields;
  const skip = new Set(["operation", "input_image", "init_image", "mask_image", "hive_id", "model", "worker_id", "loras", "num_samples", "rng_batch"]);
  const values = Object.fromEntries(Object.entries(rest).filter(([k, v]) => !skip.has(k) && v !== null && typeof v !== "object"));
  forms[mode].set((f) => ({
    prompt: typeof prompt === "string" ? prompt : f.prompt,
    negative: typeof negative_prompt === "string" ? negative_prompt : "",
    seed: withSeed && seed !== undefined && seed !== null ? { kind: "fixed", value: String(seed) } : f.seed,
    values,
  }));
}
