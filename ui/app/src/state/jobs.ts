// jobs.ts - every job that the worker knows, live, over two connections at most.
//
// A browser opens only six connections to a host over all its tabs. So one stream (/v1/events) tells the state of all jobs,
// and one more follows the job in focus, with its previews. Both close while the page is hidden and open again where
// they were, so that a reload or a lost connection loses nothing. Several visible windows take turns at the second one;
// those that wait show the steps that the first one tells.

import { SDWorkerError, type CompleteEvent, type JobEvent, type JobRequest, type JobState } from "@sd-worker/sdk";
import { blobOfBase64 } from "../lib/bytes";
import { savedStore } from "../lib/saved";
import { createStore, type Store } from "../lib/store";
import { client, keyWanted } from "./client";
import type { Mode } from "./forms";
import { keep } from "./gallery";
import { narrate } from "./narration";
import { tell } from "./toasts";
import { inTurn } from "./turn";

/** A job submitted by this browser; `over`: nothing of it is to be looked at or kept any more. */
export interface OwnJob { id: string; request: JobRequest; page: Mode; at: number; over?: boolean }

export interface Focus {
  id: string;
  step: number;
  total: number;
  /** Newest preview or the finished picture, base64. */
  picture: string | null;
  format: string;
  complete: CompleteEvent | null;
  error: { code: string; message: string } | null;
  cancelled: boolean;
  notes: string[];
  connected: boolean;
  firstStepAt: number;
  lastStepAt: number;
  firstStep: number;
}

const OWN_MAX = 100;
export const ownJobs = savedStore<OwnJob[]>("sd_worker_jobs", [], "local", true);
export const jobs: Store<JobState[]> = createStore<JobState[]>([]);
export const focus = createStore<Focus | null>(null);
export const live = createStore(false);

const PICTURES = ["input_image", "init_image", "mask_image", "image", "mask"];
const withoutPictures = (r: JobRequest) => Object.fromEntries(Object.entries(r).filter(([k]) => !PICTURES.includes(k))) as JobRequest;
const storable = (r: JobRequest) => Object.fromEntries(Object.entries(withoutPictures(r)).map(([k, v]) => [k, typeof v === "bigint" ? String(v) : v])) as JobRequest;

export const isOver = (j: Pick<JobState, "status">) => j.status === "completed" || j.status === "failed" || j.status === "cancelled";

/** The picture that a job of this visit started from, to compare with. */
export const inputs = new Map<string, Blob>();
/** The job that each page showed last. */
const shown: Partial<Record<Mode, string>> = {};

/** Queues a request and puts it in focus. Throws the worker's refusal. */
export async function submit(request: JobRequest, page: Mode, input?: Blob): Promise<string> {
  const { job_id } = await client.submit(request, crypto.randomUUID?.());
  if (input) inputs.set(job_id, input);
  ownJobs.set((all) => [{ id: job_id, request: storable(request), page, at: Date.now() }, ...all].slice(0, OWN_MAX));
  focusOn(job_id, true);
  return job_id;
}

export async function cancel(id: string): Promise<void> {
  try {
    await client.cancel(id);
  } catch (error) {
    if (error instanceof SDWorkerError && error.status === 404) tell("The job had already ended");
    else throw error;
  }
}

// ---- the job in focus ----

let following: AbortController | null = null;
let seen = 0;

const pageOf = (id: string): Mode => ownJobs.get().find((j) => j.id === id)?.page ?? "text";

/** `take`: the user asked for this job here, so this window follows it even if another one follows one. */
export function focusOn(id: string | null, take = false): void {
  following?.abort();
  following = null;
  seen = 0;
  if (!id) {
    focus.set(null);
    return;
  }
  shown[pageOf(id)] = id;
  focus.set({
    id, step: 0, total: 0, picture: null, format: "png", complete: null, error: null, cancelled: false, notes: [], connected: false,
    firstStepAt: 0, lastStepAt: 0, firstStep: 0,
  });
  if (!document.hidden) void followFocus(take);
}

/** What a page shows when it is opened: the job that it showed last. */
export function focusOnPage(page: Mode): void {
  const now = focus.get();
  if (!now || pageOf(now.id) !== page) focusOn(shown[page] ?? null);
}

async function followFocus(take = false): Promise<void> {
  const id = focus.get()?.id;
  if (!id || following) return;
  const control = (following = new AbortController());
  try {
    // A job that is over gives all it has at once: no need to wait for a turn.
    const ended = jobs.get().some((j) => j.job_id === id && isOver(j));
    if (ended) await followJob(id, control.signal);
    else await inTurn("job", take, control.signal, (signal) => followJob(id, signal));
  } catch (error) {
    const e = error instanceof SDWorkerError ? error : new SDWorkerError(String(error), 0, "CLIENT");
    if (e.status === 404 && focus.get()?.step === 0) forget(id); // of an earlier visit, and the worker has forgotten it too
    else if (!control.signal.aborted) focus.set((f) => (f?.id === id ? { ...f, error: { code: e.code, message: e.message } } : f));
  }
  if (following === control) following = null;
}

async function followJob(id: string, signal: AbortSignal): Promise<void> {
  const change = (update: (f: Focus) => Partial<Focus>) => focus.set((f) => (f && f.id === id && !signal.aborted ? { ...f, ...update(f) } : f));
  const stream = client.follow(id, {
    after: seen, signal, onNumber: (n) => { if (!signal.aborted) seen = n; }, onConnection: (open) => change(() => ({ connected: open })),
  });
  try {
    for await (const event of stream) change((f) => after(f, event));
  } finally {
    focus.set((f) => (f?.id === id ? { ...f, connected: false } : f)); // the turn may have been taken away
  }
}

function finish(id: string): void {
  ownJobs.set((all) => all.map((j) => (j.id === id ? { ...j, over: true } : j)));
}

function forget(id: string): void {
  finish(id);
  for (const page of ["text", "image", "inpaint"] as const) if (shown[page] === id) delete shown[page];
  if (focus.get()?.id === id) focus.set(null);
}

function after(f: Focus, event: JobEvent): Partial<Focus> {
  const now = performance.now();
  switch (event.type) {
    case "progress":
      return { step: event.step, total: event.total, lastStepAt: now, ...(f.firstStepAt ? {} : { firstStepAt: now, firstStep: event.step }) };
    case "preview":
      return { picture: event.image, format: event.format };
    case "narration":
      narrate(event);
      return event.action === "warning" ? { notes: [...f.notes, event.human].slice(-5) } : {};
    case "complete":
      void keepFinished(f.id, event);
      return { complete: event, picture: event.image, format: event.format };
    case "error":
      finish(f.id);
      return { error: event };
    case "cancelled":
      finish(f.id);
      return { cancelled: true };
  }
}

/** Seconds until the last step, from the pace so far; undefined before this window has seen two steps by itself. */
export function timeLeft(f: Focus): number | undefined {
  const steps = f.step - f.firstStep;
  return steps > 0 && f.lastStepAt > f.firstStepAt ? ((f.lastStepAt - f.firstStepAt) / steps / 1000) * (f.total - f.step) : undefined;
}

async function keepFinished(id: string, event: CompleteEvent): Promise<void> {
  const own = ownJobs.get().find((j) => j.id === id);
  if (!own || own.over) return;
  finish(id);
  const images = event.images ?? [event.image];
  const seeds = event.seeds ?? [event.seed];
  await keep(id, own.request, images.map((image, i) => ({ blob: blobOfBase64(image, event.format), format: event.format, seed: seeds[i] ?? event.seed })));
}

let keeping: Promise<void> | null = null;

/** Jobs of this browser that ended while nobody followed them: their pictures are kept too, one after the other. */
function keepMissed(): void {
  keeping ??= keepAllMissed().catch(() => undefined).finally(() => { keeping = null; });
}

async function keepAllMissed(): Promise<void> {
  for (const own of ownJobs.get()) {
    const state = jobs.get().find((j) => j.job_id === own.id);
    if (own.over || own.id === focus.get()?.id || !state || !isOver(state)) continue;
    finish(own.id);
    const pictures = [];
    for (const o of state.outputs) {
      const answer = await client.request(`/v1/outputs/${o.id}`);
      if (answer.ok) pictures.push({ blob: await answer.blob(), format: o.format, seed: o.seed });
    }
    await keep(own.id, own.request, pictures);
  }
}

// ---- all jobs ----

let watching: AbortController | null = null;

let moving: ReturnType<typeof setTimeout> | undefined;

/** What events do not tell: that a job which leaves the queue moves all behind it up, and what a new one is to draw. */
function askForMore(): void {
  moving ??= setTimeout(() => { moving = undefined; refreshJobs().catch(() => undefined); }, 300);
}

function merge(state: JobState): void {
  const before = jobs.get().find((j) => j.job_id === state.job_id);
  jobs.set((all) => (before ? all.map((j) => (j.job_id === state.job_id ? { ...j, ...state } : j)) : [state, ...all].slice(0, 500)));
  const moved = before?.status === "queued" && state.status !== "queued" && jobs.get().some((j) => j.status === "queued");
  if (!before || moved) askForMore();
  if (!isOver(state)) return;
  const f = focus.get();
  // The job in view has ended while this window waited for its turn.
  if (f?.id === state.job_id && !f.connected && !f.complete && !f.error && !f.cancelled && !document.hidden) {
    following?.abort();
    following = null;
    void followFocus();
  }
  keepMissed();
}

export async function refreshJobs(): Promise<void> {
  const page = await client.jobs({ limit: 100 });
  jobs.set(page.jobs);
}

async function watchEvents(): Promise<void> {
  if (watching) return;
  const control = (watching = new AbortController());
  for (let wait = 500; !control.signal.aborted; wait = Math.min(wait * 2, 8000)) {
    try {
      await refreshJobs();
      keepMissed();
      live.set(true);
      wait = 500;
      for await (const state of client.events(control.signal)) merge(state);
    } catch (error) {
      if (error instanceof SDWorkerError && error.status === 401) {
        await new Promise<void>((resolve) => { const stop = keyWanted.subscribe(() => { stop(); resolve(); }); });
        wait = 250;
      }
    }
    live.set(false);
    if (!control.signal.aborted) await new Promise((r) => setTimeout(r, wait));
  }
}

function onVisibility(): void {
  if (document.hidden) {
    watching?.abort();
    following?.abort();
    watching = following = null;
    return;
  }
  void watchEvents();
  const f = focus.get();
  if (f && !f.complete && !f.error && !f.cancelled) void followFocus();
}

/** Opens the streams and brings back the newest unfinished job of each page. Call once. */
export function startJobs(page: Mode | null): void {
  document.addEventListener("visibilitychange", onVisibility);
  // A page that is left must give its connections back at once: the next one needs them.
  window.addEventListener("pagehide", () => { watching?.abort(); following?.abort(); });
  for (const own of ownJobs.get()) if (!own.over && Date.now() - own.at < 24 * 3600_000) shown[own.page] ??= own.id;
  if (page) focusOnPage(page);
  onVisibility();
}
