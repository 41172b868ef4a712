// Stage.tsx - the job in focus: progress, previews, the finished pictures and what to do with them.

import { useEffect, useMemo, useState } from "react";
import type { CompleteEvent, JobRequest } from "@sd-worker/sdk";
import { blobOfBase64, saveFile } from "../lib/bytes";
import { seconds } from "../lib/format";
import { useStore } from "../lib/store";
import { cancel, focus, inputs, isOver, jobs, ownJobs, live, timeLeft, type Focus } from "../state/jobs";
import { tellError } from "../state/toasts";
import { sendTo } from "../state/send";
import { fillForm, forms, type Mode } from "../state/forms";
import { CopyAs } from "./CopyAs";
import { useObjectUrl } from "./ImageInput";

const EXAMPLES = ["A 3D red apple on a blue background", "A flat cat face on a purple background", "A classic rocket on a blue background"];

const EMPTY: Record<Mode, string> = {
  text: "Describe a picture and press", image: "Choose a picture, say what becomes of it, and press", inpaint: "Choose a picture, paint over what is to change, and press",
};

function Empty({ mode }: { mode: Mode }) {
  return (
    <section className="stage empty" aria-label="Result">
      <div>
        <svg viewBox="0 0 64 48" width="96" height="72" aria-hidden="true"><rect x="2" y="2" width="60" height="44" rx="6" /><circle cx="46" cy="15" r="5" /><path d="M4 40 L22 20 L36 36 L44 28 L60 42" /></svg>
        <p>{EMPTY[mode]} <strong>Generate</strong>.<br /><span className="muted">The picture appears here while it is drawn.</span></p>
        {mode === "text" ? (
          <p className="examples">{EXAMPLES.map((e) => <button key={e} type="button" onClick={() => forms.text.set((f) => ({ ...f, prompt: e }))}>{e}</button>)}</p>
        ) : null}
      </div>
    </section>
  );
}

export function Stage({ mode }: { mode: Mode }) {
  const found = useStore(focus);
  const own = useStore(ownJobs).find((j) => j.id === found?.id);
  const state = useStore(jobs).find((j) => j.job_id === found?.id);
  const before = useObjectUrl(found ? inputs.get(found.id) : null);
  if (!found || (own?.page ?? "text") !== mode) return <Empty mode={mode} />;
  // While another window has the job's stream, the stream of all jobs tells the steps.
  const f = state && state.status === "running" && state.step > found.step && !found.connected ? { ...found, step: state.step, total: state.total } : found;
  const over = f.complete || f.error || f.cancelled;
  const waiting = !over && f.step === 0 && state?.status === "queued";
  return (
    <section className="stage" aria-label="Result" aria-busy={!over}>
      <Pictures f={f} {...(before ? { before } : {})} />
      <p className="visually-hidden" role="status">{spoken(f, waiting)}</p>
      {over ? null : <Running f={f} waiting={waiting} position={state?.queue_position ?? 0} told={state !== undefined && !isOver(state)} />}
      {f.error ? <div className="box error" role="alert"><strong>The job failed.</strong> {f.error.message} <code>{f.error.code}</code></div> : null}
      {f.cancelled ? <div className="box">The job was cancelled.</div> : null}
      {f.notes.map((n) => <p className="note" key={n}>{n}</p>)}
      {f.complete ? <Actions complete={f.complete} jobId={f.id} request={own?.request} mode={(own?.page ?? "text") as Mode} /> : null}
    </section>
  );
}

function spoken(f: Focus, waiting: boolean): string {
  if (f.complete) return "The picture is finished.";
  if (f.error || f.cancelled) return "";
  if (waiting) return "The job waits in the queue.";
  const quarter = f.total ? Math.floor((4 * f.step) / f.total) : 0;
  return quarter > 0 ? `${quarter * 25} percent` : "The job has started.";
}

/** told: the stream of all jobs tells of this one, so nothing is lost while its own is not open. */
function Running({ f, waiting, position, told }: { f: Focus; waiting: boolean; position: number; told: boolean }) {
  const connected = useStore(live);
  const left = timeLeft(f);
  const percent = f.total ? (100 * f.step) / f.total : 0;
  const text = waiting ? `Waiting${position ? `, place ${position}` : ""}` : f.total ? `Step ${f.step} of ${f.total}` : "Starting";
  return (
    <div className="going">
      <progress max={100} value={f.total ? percent : undefined} aria-label="Progress" />
      <div className="row">
        <span>{text}{f.connected || (connected && told) ? "" : " · connecting"}</span>
        <span className="muted">{left !== undefined ? `${seconds(left)} left` : ""}</span>
        <button type="button" data-shortcut="cancel" onClick={() => cancel(f.id).catch(tellError)}>Cancel</button>
      </div>
    </div>
  );
}

function usePictureUrls(f: Focus): string[] {
  const images = useMemo(() => (f.complete ? (f.complete.images ?? [f.complete.image]) : f.picture ? [f.picture] : []), [f.complete, f.picture]);
  const [urls, setUrls] = useState<string[]>([]);
  useEffect(() => {
    const made = images.map((i) => URL.createObjectURL(blobOfBase64(i, f.complete?.format ?? f.format)));
    setUrls(made);
    return () => made.forEach((u) => URL.revokeObjectURL(u));
  }, [images, f.complete, f.format]);
  return urls;
}

function Pictures({ f, before }: { f: Focus; before?: string }) {
  const urls = usePictureUrls(f);
  if (urls.length === 0) return <div className="canvas waiting" />;
  if (f.complete && before && urls.length === 1) return <Compare before={before} after={urls[0]!} />;
  return (
    <div className={urls.length > 1 ? "canvas many" : "canvas"}>
      {urls.map((u, i) => <img key={u} src={u} alt={f.complete ? `Picture ${i + 1} of ${urls.length}` : "Preview"} className={f.complete ? "" : "preview"} />)}
    </div>
  );
}

/** What went in against what came out: a curtain that is moved, either of the two, or one beside the other. */
function Compare({ before, after }: { before: string; after: string }) {
  const [split, setSplit] = useState(50);
  const [beside, setBeside] = useState(false);
  const view = (name: string, at: number) => (
    <button type="button" aria-pressed={!beside && split === at} onClick={() => { setBeside(false); setSplit(at); }}>{name}</button>
  );
  return (
    <>
      {beside ? (
        <div className="canvas beside"><img src={before} alt="Before" /><img src={after} alt="After" /></div>
      ) : (
        <div className="canvas compare">
          <img src={after} alt="After" />
          <img src={before} alt="Before" className="before" ref={(e) => { if (e) e.style.clipPath = `inset(0 ${100 - split}% 0 0)`; }} />
          <input type="range" min={0} max={100} value={split} aria-label="Before and after" onChange={(e) => setSplit(Number(e.target.value))} />
        </div>
      )}
      <div className="row toolbar" role="group" aria-label="Comparison">
        {view("Before", 100)}
        {view("Both", 50)}
        {view("After", 0)}
        <button type="button" aria-pressed={beside} onClick={() => setBeside(true)}>Side by side</button>
      </div>
    </>
  );
}

function Actions({ complete, jobId, request, mode }: { complete: CompleteEvent; jobId: string; request: JobRequest | undefined; mode: Mode }) {
  const [copying, setCopying] = useState(false);
  const images = complete.images ?? [complete.image];
  const seeds = complete.seeds ?? [complete.seed];
  const download = () => images.forEach((image, i) => saveFile(blobOfBase64(image, complete.format), `generated_${jobId}${images.length > 1 ? `-${i + 1}` : ""}.${complete.format}`));
  const send = (to: "image" | "inpaint") => sendTo(to, blobOfBase64(complete.image, complete.format), request).catch(tellError);
  const params = { ...request, prompt: request?.prompt ?? "", seed: complete.seed } as JobRequest;
  return (
    <div className="actions">
      <p className="facts">
        {complete.width}×{complete.height} · seed {seeds.map(String).join(", ")} · {seconds(complete.elapsed_ms / 1000)}
      </p>
      <button type="button" data-shortcut="download" onClick={download}>Download</button>
      <button type="button" data-shortcut="reuse-seed" onClick={() => fillForm(mode, params)}>Reuse seed</button>
      <button type="button" onClick={() => send("image")}>Image to image</button>
      <button type="button" onClick={() => send("inpaint")}>Inpaint</button>
      <button type="button" onClick={() => setCopying(true)}>Copy as code</button>
      {copying ? <CopyAs request={params} close={() => setCopying(false)} /> : null}
    </div>
  );
}
