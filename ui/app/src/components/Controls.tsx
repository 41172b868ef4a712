// Controls.tsx - size, steps, guidance, sampler, seed and everything else that the worker's list of fields names.

import type { FieldInfo } from "@sd-worker/sdk";
import { label } from "../lib/format";
import { useStore } from "../lib/store";
import { field, forms, moreFields, type Mode } from "../state/forms";
import { worker } from "../state/worker";
import { Field, type Described } from "./Field";

export type Problems = Record<string, string>;

const QUALITY = [{ name: "Speed", factor: 0.5 }, { name: "Balanced", factor: 1 }, { name: "Quality", factor: 1.5 }];
const ASPECTS = [{ name: "Square", w: 1, h: 1 }, { name: "Wide", w: 4, h: 3 }, { name: "Tall", w: 3, h: 4 }];

const described = (name: string, rest: Partial<FieldInfo>, info: FieldInfo | undefined): Described => ({ name, type: "int", ...rest, ...info });

export function Controls({ mode, problems }: { mode: Mode; problems: Problems }) {
  const form = useStore(forms[mode]);
  const capabilities = useStore(worker, (w) => w.capabilities);
  const values = form.values;
  const set = (name: string, value: unknown) => forms[mode].set((f) => ({ ...f, values: { ...f.values, [name]: value } }));
  const steps = described("steps", { min: 1, max: 150, default: capabilities?.default_steps ?? 20 }, field(capabilities, "steps"));
  const guidance = described("guidance_scale", { type: "real", min: 0, max: 20 }, field(capabilities, "guidance_scale", "guidance"));
  const strength = described("strength", { type: "real", min: 0, max: 1, default: 0.8 }, field(capabilities, "strength"));
  const count = described("num_samples", { min: 1, max: 8, default: 1 }, field(capabilities, "num_samples", "count"));
  const modelSteps = capabilities?.default_steps ?? 20;
  const more = moreFields(capabilities, mode);
  const groups = [...new Set(more.map((f) => f.group ?? "other"))];
  const fewSteps = modelSteps <= 8;
  return (
    <>
      <Size mode={mode} problems={problems} />
      {mode !== "text" ? <Field info={strength} name="Strength" value={values["strength"]} error={problems["strength"]} onChange={(v) => set("strength", v)} /> : null}
      {fewSteps ? null : (
        <fieldset className="chips">
          <legend>Preset</legend>
          {QUALITY.map((q) => {
            const n = Math.ceil(modelSteps * q.factor);
            const now = (values["steps"] as number | undefined) ?? modelSteps;
            return <button key={q.name} type="button" aria-pressed={now === n} onClick={() => set("steps", n === modelSteps ? undefined : n)}>{q.name}<small>{n} steps</small></button>;
          })}
        </fieldset>
      )}
      <Field info={{ ...steps, max: Math.min(steps.max ?? 150, 150), help: "" }} name="Steps" slider={[1, 60]} value={values["steps"]} error={problems["steps"]} onChange={(v) => set("steps", v)} />
      {capabilities?.supports_guidance === false ? null : (
        <Field info={{ ...guidance, max: 20 }} name="Guidance" slider={[0, 15]} value={values["guidance_scale"]} error={problems["guidance_scale"]} onChange={(v) => set("guidance_scale", v)} />
      )}
      <div className="pair">
        <Field info={{ name: "sampler", type: "choice" }} choices={capabilities?.samplers ?? []} value={values["sampler"]} error={problems["sampler"]} onChange={(v) => set("sampler", v)} />
        <Field info={{ name: "schedule", type: "choice" }} choices={capabilities?.schedules ?? []} value={values["schedule"]} error={problems["schedule"]} onChange={(v) => set("schedule", v)} />
      </div>
      <Seed mode={mode} error={problems["seed"]} />
      <Field info={{ ...count, max: 8 }} name="Pictures" value={values["num_samples"]} error={problems["num_samples"]} onChange={(v) => set("num_samples", v)} />
      {more.length > 0 ? (
        <details className="more">
          <summary>More settings{more.some((f) => values[f.name] !== undefined) ? " (changed)" : ""}</summary>
          {groups.map((g) => (
            <fieldset key={g}>
              <legend>{label(g)}</legend>
              {more.filter((f) => (f.group ?? "other") === g).map((f) => (
                <Field key={f.name} info={f} value={values[f.name]} error={problems[f.name]} onChange={(v) => set(f.name, v)}
                  {...(f.name === "format" ? { choices: capabilities?.formats ?? [] } : {})} />
              ))}
            </fieldset>
          ))}
          <button type="button" className="quiet" onClick={() => forms[mode].set((f) => ({ ...f, values: Object.fromEntries(Object.entries(f.values).filter(([k]) => !more.some((m) => m.name === k))) }))}>
            Back to the defaults
          </button>
        </details>
      ) : null}
    </>
  );
}

function Size({ mode, problems }: { mode: Mode; problems: Problems }) {
  const form = useStore(forms[mode]);
  const capabilities = useStore(worker, (w) => w.capabilities);
  const [w0, h0] = capabilities?.default_size ?? [512, 512];
  const set = (width: number | undefined, height: number | undefined) => forms[mode].set((f) => ({ ...f, values: { ...f.values, width, height } }));
  const width = form.values["width"] as number | undefined;
  const height = form.values["height"] as number | undefined;
  if (mode !== "text") return null; // the picture's own size
  const sizes = capabilities?.supported_sizes ?? [];
  const area = Math.sqrt(w0 * h0);
  const aspects = ASPECTS.map((a) => {
    const scale = area / Math.sqrt(a.w * a.h);
    return { ...a, width: Math.round((a.w * scale) / 8) * 8, height: Math.round((a.h * scale) / 8) * 8 };
  });
  const chosen = (w: number, h: number) => (width ?? w0) === w && (height ?? h0) === h;
  const presets = [...aspects, ...sizes.filter(([w, h]) => !aspects.some((a) => a.width === w && a.height === h)).map(([w, h]) => ({ name: "", width: w, height: h }))];
  const info = (name: string): Described => ({ name, type: "int", min: 64, max: 2048, multiple: 8, ...field(capabilities, name), default: name === "width" ? w0 : h0, help: "" });
  return (
    <>
      <fieldset className="chips">
        <legend>Size</legend>
        {presets.map((p) => (
          <button key={`${p.width}x${p.height}`} type="button" aria-pressed={chosen(p.width, p.height)}
            onClick={() => (p.width === w0 && p.height === h0 ? set(undefined, undefined) : set(p.width, p.height))}>
            {p.name || `${p.width}×${p.height}`}{p.name ? <small>{p.width}×{p.height}</small> : null}
          </button>
        ))}
      </fieldset>
      <details className="custom" open={width !== undefined && !presets.some((p) => chosen(p.width, p.height))}>
        <summary>Custom size</summary>
        <div className="pair">
          <Field info={info("width")} value={width} error={problems["width"]} onChange={(v) => set(v as number | undefined, height)} />
          <Field info={info("height")} value={height} error={problems["height"]} onChange={(v) => set(width, v as number | undefined)} />
        </div>
      </details>
    </>
  );
}

function Seed({ mode, error }: { mode: Mode; error: string | undefined }) {
  const form = useStore(forms[mode]);
  const fixed = form.seed.kind === "fixed";
  const set = (kind: "random" | "fixed", value: string) => forms[mode].set((f) => ({ ...f, seed: { kind, value } }));
  const wrong = fixed && !/^\d{1,20}$/.test(form.seed.value) ? "A whole number from 0 to 18446744073709551615" : error;
  return (
    <div className="field">
      <label htmlFor={`seed-${mode}`}>Seed</label>
      <div className="seed">
        <input id={`seed-${mode}`} type="text" inputMode="numeric" placeholder="random" value={fixed ? form.seed.value : ""} aria-invalid={wrong ? true : undefined}
          aria-describedby={wrong ? `seed-${mode}-error` : undefined} onChange={(e) => set(e.target.value === "" ? "random" : "fixed", e.target.value.trim())} />
        <button type="button" aria-pressed={!fixed} onClick={() => set("random", "")}>Random</button>
      </div>
      {wrong ? <p className="problem" id={`seed-${mode}-error`}>{wrong}</p> : <p className="hint">The same seed and settings draw the same picture.</p>}
    </div>
  );
}
