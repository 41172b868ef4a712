// jobs.ts - every job that the worker knows, live, over two connections at most.
//
// A browser opens only six connections to a host over all its tabs. So one stream (/v1/events) tells the state of all jobs,
// and one more follows the job in focus, with its previews. Both close while the page is hidden and open again where
// they were, so that a reload or a lost connection loses nothing.

import { SDWorkerError, type CompleteEvent, type JobEvent, type JobRequest, type JobState } from "@sd-worker/sdk";
import { savedStore } from "../lib/saved";
import { createStore, type Store } from "../lib/store";
import { client, keyWanted } from "./client";
import { keep } from "./gallery";
import { narrate } from "./narration";
import { tell } from "./toasts";

/** A job submitted by this browser. */
export interface OwnJob { id: string; request: JobRequest; page: string; at: number; kept?: boolean }

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
export const ownJobs = savedStore<OwnJob[]>("sd_worker_jobs", []);
export const jobs: Store<JobState[]> = createStore<JobState[]>([]);
export const focus = createStore<Focus | null>(null);
export const live = createStore(false);

const PICTURES = ["input_image", "init_image", "mask_image", "image", "mask"];
const withoutPictures = (r: JobRequest) => Object.fromEntries(Object.entries(r).filter(([k]) => !PICTURES.includes(k))) as JobRequest;
const storable = (r: JobRequest) => Object.fromEntries(Object.entries(withoutPictures(r)).map(([k, v]) => [k, typeof v === "bigint" ? String(v) : v])) as JobRequest;

export const isOver = (j: Pick<JobState, "status">) => j.status === "completed" || j.status === "failed" || j.status === "cancelled";

/** Queues a request and puts it in focus. Throws the worker's refusal. */
export async function submit(request: JobRequest, page: string): Promise<string> {
  const { job_id } = await client.submit(request, crypto.randomUUID?.());
  ownJobs.set((all) => [{ id: job_id, request: storable(request), page, at: Date.now() }, ...all].slice(0, OWN_MAX));
  focusOn(job_id);
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

export function focusOn(id: string | null): void {
  following?.abort();
  following = null;
  seen = 0;
  if (!id) {
    focus.set(null);
    return;
  }
  focus.set({
    id, step: 0, total: 0, picture: null, format: "png", complete: null, error: null, cancelled: false, notes: [], connected: false,
    firstStepAt: 0, lastStepAt: 0, firstStep: 0,
  });
  if (!document.hidden) void followFocus();
}

async function followFocus(): Promise<void> {
  const id = focus.get()?.id;
  if (!id || following) return;
  const control = (following = new AbortController());
  const change = (update: (f: Focus) => Partial<Focus>) =>
    focus.set((f) => (f && f.id === id && !control.signal.aborted ? { ...f, ...update(f) } : f));
  try {
    const stream = client.follow(id, {
      after: seen, signal: control.signal, onNumber: (n) => { seen = n; }, onConnection: (open) => change(() => ({ connected: open })),
    });
    for await (const event of stream) change((f) => after(f, event));
  } catch (error) {
    const e = error instanceof SDWorkerError ? error : new SDWorkerError(String(error), 0, "CLIENT");
    change(() => ({ error: { code: e.code, message: e.message } }));
  }
  if (following === control) following = null;
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
      return { error: event };
    case "cancelled":
      return { cancelled: true };
  }
}

/** Seconds until the last step, from the pace so far; undefined before the second step. */
export function timeLeft(f: Focus): number | undefined {
  const steps = f.step - f.firstStep;
  return steps > 0 ? ((f.lastStepAt - f.firstStepAt) / steps / 1000) * (f.total - f.step) : undefined;
}

async function keepFinished(id: string, event: CompleteEvent): Promise<void> {
  const own = ownJobs.get().find((j) => j.id === id);
  if (!own || own.kept) return;
  ownJobs.set((all) => all.map((j) => (j.id === id ? { ...j, kept: true } : j)));
  const images = event.images ?? [event.image];
  const seeds = event.seeds ?? [event.seed];
  await keep(id, own.request, images.map((image, i) => ({ image, format: event.format, seed: seeds[i] ?? event.seed })));
}

/** Jobs of this browser that ended while nobody followed them: their pictures are kept too. */
async function keepMissed(): Promise<void> {
  for (const own of ownJobs.get()) {
    if (own.kept || own.id === focus.get()?.id) continue;
    const state = jobs.get().find((j) => j.job_id === own.id);
    if (state?.status !== "completed") continue;
    try {
      for await (const event of client.follow(own.id, { triesMax: 2 })) if (event.type === "complete") await keepFinished(own.id, event);
    } catch {
      // forgotten by the worker: nothing left to keep
    }
  }
}

// ---- all jobs ----

let watching: AbortController | null = null;

function merge(state: JobState): void {
  jobs.set((all) => {
    const known = all.findIndex((j) => j.job_id === state.job_id);
    return known < 0 ? [state, ...all].slice(0, 500) : all.map((j, i) => (i === known ? { ...j, ...state } : j));
  });
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
      void keepMissed();
      live.set(true);
      wait = 500;
      for await (const state of client.events(control.signal)) {
        merge(state);
        if (state.status === "completed") void keepMissed();
      }
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

/** Opens the streams and brings back the newest unfinished job of this browser. Call once. */
export function startJobs(): void {
  document.addEventListener("visibilitychange", onVisibility);
  // A page that is left must give its connections back at once: the next one needs them.
  window.addEventListener("pagehide", () => { watching?.abort(); following?.abort(); });
  const newest = ownJobs.get()[0];
  if (newest && Date.now() - newest.at < 24 * 3600_000) {
    client.job(newest.id).then((state) => { if (!isOver(state) || !newest.kept) focusOn(newest.id); }, () => undefined);
  }
  onVisibility();
}
