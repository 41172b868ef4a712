// loading.ts - what the worker says while it downloads or loads a model.

import { messagesOf } from "@sd-worker/sdk";
import { bytes } from "../lib/format";
import { createStore } from "../lib/store";
import { client } from "./client";
import { tell } from "./toasts";
import { refreshModels, refreshWorker } from "./worker";

export interface LoadView { text: string; share?: number }
export const loadProgress = createStore<LoadView | null>(null);

interface Stage {
  stage: string; message?: string; file?: string; bytes_done?: number; bytes_total?: number; bytes_per_second?: number; layers_loaded?: number; layers_total?: number;
}

function viewOf(s: Stage): LoadView | null {
  if (s.stage === "downloading") {
    const speed = s.bytes_per_second ? `, ${bytes(s.bytes_per_second)}/s` : "";
    return { text: `Downloading ${s.file ?? ""}: ${bytes(s.bytes_done)} of ${bytes(s.bytes_total)}${speed}`, share: (s.bytes_done ?? 0) / (s.bytes_total || 1) };
  }
  if (s.stage === "loading_to_vram") return { text: "Loading the model", share: (s.layers_loaded ?? 0) / (s.layers_total || 1) };
  return null;
}

let running = false;

/** Follows the loading that is now going on, if any, until it ends. */
export async function watchLoading(): Promise<void> {
  if (running) return;
  running = true;
  try {
    const answer = await client.request("/v1/loading/progress", { headers: { Accept: "text/event-stream" } });
    if (answer.ok) {
      for await (const message of messagesOf(answer)) {
        if (message.data.startsWith("[")) break;
        const stage = JSON.parse(message.data) as Stage;
        if (stage.stage === "error") tell(stage.message ?? "Loading failed", "error");
        loadProgress.set(viewOf(stage));
      }
    }
  } catch {
    // the worker went away: its state is shown elsewhere
  }
  running = false;
  loadProgress.set(null);
  await Promise.all([refreshModels(), refreshWorker()]).catch(() => undefined);
}
