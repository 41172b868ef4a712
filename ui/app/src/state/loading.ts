// loading.ts - what the worker says while it downloads or loads a model.

import { messagesOf, type LoadingEvent } from "@sd-worker/sdk";
import { bytes } from "../lib/format";
import { createStore } from "../lib/store";
import { client } from "./client";
import { tell } from "./toasts";
import { inTurn } from "./turn";
import { refreshModels, refreshWorker, worker } from "./worker";

export interface LoadView { text: string; share?: number }
export const loadProgress = createStore<LoadView | null>(null);

function viewOf(s: LoadingEvent): LoadView | null {
  if (s.stage === "downloading") {
    const speed = s.bytes_per_second ? `, ${bytes(s.bytes_per_second)}/s` : "";
    return { text: `Downloading ${s.file ?? ""}: ${bytes(s.bytes_done)} of ${bytes(s.bytes_total)}${speed}`, share: (s.bytes_done ?? 0) / (s.bytes_total || 1) };
  }
  if (s.stage === "loading_to_vram") return { text: "Loading the model", share: (s.layers_loaded ?? 0) / (s.layers_total || 1) };
  return null;
}

let watching: AbortController | null = null;

/** Follows the loading that is now going on, if any, until it ends or the page is hidden. One window of a browser at a time:
 *  the others learn the outcome when the turn comes to them. */
export async function watchLoading(): Promise<void> {
  if (watching || document.hidden) return;
  const control = (watching = new AbortController());
  await inTurn("loading", false, control.signal, followAll).catch(() => undefined); // the worker went away: its state is shown elsewhere
  if (watching === control) watching = null;
}

/** A load begins after the running jobs, so there may be nothing to follow yet: asked again while a model waits for it. */
async function followAll(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await follow(signal);
    loadProgress.set(null);
    await Promise.all([refreshModels(), refreshWorker()]);
    if (!worker.get().models.some((m) => m.status === "downloading" || m.status === "loading")) return;
    await new Promise((r) => setTimeout(r, 500));
  }
}

async function follow(signal: AbortSignal): Promise<void> {
  const answer = await client.request("/v1/loading/progress", { headers: { Accept: "text/event-stream" }, signal });
  if (!answer.ok) return;
  for await (const message of messagesOf(answer)) {
    if (message.data.startsWith("[")) break;
    const stage = JSON.parse(message.data) as LoadingEvent;
    if (stage.stage === "error") tell(stage.message ?? "Loading failed", "error");
    loadProgress.set(viewOf(stage));
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) watching?.abort();
  else void watchLoading();
});
