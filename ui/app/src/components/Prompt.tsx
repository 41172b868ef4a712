// Prompt.tsx - what to draw and what to avoid, with the prompts of earlier visits.

import { useId, useRef, useState } from "react";
import { forms, history, type Mode } from "../state/forms";
import { useStore } from "../lib/store";

export function Prompt({ mode, error, submit }: { mode: Mode; error: string | undefined; submit: () => void }) {
  const form = useStore(forms[mode]);
  const past = useStore(history);
  const [open, setOpen] = useState(form.negative !== "");
  const id = useId();
  const box = useRef<HTMLTextAreaElement>(null);
  const set = (change: Partial<typeof form>) => forms[mode].set((f) => ({ ...f, ...change }));
  const onKey = (e: React.KeyboardEvent) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      submit();
    }
  };
  return (
    <div className="prompt">
      <div className="row">
        <label htmlFor={id}>Prompt</label>
        {past.length > 0 ? (
          <select aria-label="Earlier prompts" className="quiet" value="" onChange={(e) => { set({ prompt: e.target.value }); box.current?.focus(); }}>
            <option value="">History</option>
            {past.slice(0, 30).map((p) => <option key={p} value={p}>{p.length > 60 ? p.slice(0, 60) + "…" : p}</option>)}
          </select>
        ) : null}
      </div>
      <textarea id={id} ref={box} data-shortcut="prompt" rows={3} value={form.prompt} placeholder="A 3D red apple on a blue background" required
        aria-invalid={error ? true : undefined} aria-describedby={error ? `${id}-error` : undefined} onKeyDown={onKey} onChange={(e) => set({ prompt: e.target.value })} />
      {error ? <p className="problem" id={`${id}-error`}>{error}</p> : null}
      <details open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary>Negative prompt</summary>
        <textarea aria-label="Negative prompt" rows={2} value={form.negative} placeholder="What to avoid" onKeyDown={onKey} onChange={(e) => set({ negative: e.target.value })} />
      </details>
    </div>
  );
}
