// Field.tsx - one request field as a control, made from the worker's own description of it.

import { useId, type ReactNode } from "react";
import type { FieldInfo } from "@sd-worker/sdk";
import { label } from "../lib/format";

/** A field as the worker tells it, or as much of it as the page knows before the worker has answered. */
export type Described = Pick<FieldInfo, "name" | "type"> & Partial<FieldInfo>;

interface FieldProps {
  info: Described;
  value: unknown;
  onChange: (value: unknown) => void;
  name?: string;
  choices?: string[];
  error?: string | undefined;
  /** Ends of the slider where the full range is too wide to aim in. */
  slider?: [number, number];
}

export function Field({ info, value, onChange, name, choices, error, slider }: FieldProps) {
  const id = useId();
  const options = choices ?? info.choices;
  const help = info.help ? info.help.charAt(0).toUpperCase() + info.help.slice(1) + "." : undefined;
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const common = { id, "aria-describedby": described, "aria-invalid": error ? true : undefined };
  let control: ReactNode;
  if (info.type === "switch") {
    control = (
      <select {...common} value={value === undefined ? "" : String(value)} onChange={(e) => onChange(e.target.value === "" ? undefined : e.target.value === "true")}>
        <option value="">Default{info.default !== undefined && info.default !== null ? ` (${info.default})` : ""}</option>
        <option value="true">On</option>
        <option value="false">Off</option>
      </select>
    );
  } else if (info.type === "choice" || options?.length) {
    control = (
      <select {...common} value={String(value ?? "")} onChange={(e) => onChange(e.target.value || undefined)}>
        <option value="">Default</option>
        {options?.map((c) => <option key={c} value={c}>{c}</option>)}
      </select>
    );
  } else if (info.type === "int" || info.type === "real") {
    return <NumberField {...{ info, value, onChange, error, help, id }} name={name ?? label(info.name)} {...(slider ? { slider } : {})} />;
  } else {
    control = <input {...common} type="text" value={String(value ?? "")} onChange={(e) => onChange(e.target.value || undefined)} />;
  }
  return (
    <div className="field">
      <label htmlFor={id}>{name ?? label(info.name)}</label>
      {control}
      <Hint id={id} help={help} error={error} />
    </div>
  );
}

function Hint({ id, help, error }: { id: string; help: string | undefined; error: string | undefined }) {
  return (
    <>
      {error ? <p className="problem" id={`${id}-error`}>{error}</p> : null}
      {help ? <p className="hint" id={`${id}-help`}>{help}</p> : null}
    </>
  );
}

interface NumberProps {
  info: Described; value: unknown; onChange: (value: unknown) => void; name: string; id: string;
  help: string | undefined; error: string | undefined; slider?: [number, number];
}

function NumberField({ info, value, onChange, name, id, help, error, slider }: NumberProps) {
  const step = info.multiple || (info.type === "int" ? 1 : 0.05);
  const fallback = info.default === null || info.default === undefined || info.default === "" ? NaN : Number(info.default);
  const shown = typeof value === "number" ? value : undefined;
  const [low, high] = slider ?? [info.min ?? 0, info.max ?? 100];
  const read = (text: string) => onChange(text === "" || !Number.isFinite(Number(text)) ? undefined : Number(text));
  const limits = { min: info.min ?? undefined, max: info.max ?? undefined, step: info.type === "int" ? step : "any" };
  return (
    <div className="field">
      <div className="named">
        <label htmlFor={id}>{name}</label>
        {info.unit && info.unit !== info.name && info.unit !== name.toLowerCase() ? <span className="unit">{info.unit}</span> : null}
      </div>
      <div className="twin">
        <input type="range" min={low} max={high} step={step} aria-label={`${name}, slider`} tabIndex={-1} className={shown === undefined && !Number.isFinite(fallback) ? "unset" : ""}
          value={Math.min(high, Math.max(low, shown ?? (Number.isFinite(fallback) ? fallback : (low + high) / 2)))} onChange={(e) => read(e.target.value)} />
        <input id={id} type="number" inputMode="decimal" {...limits} placeholder={Number.isFinite(fallback) ? String(fallback) : "auto"} value={shown ?? ""}
          aria-invalid={error ? true : undefined} aria-describedby={[help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined}
          onChange={(e) => read(e.target.value)} />
      </div>
      <Hint id={id} help={help} error={error} />
    </div>
  );
}
