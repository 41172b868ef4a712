// worker.ts - what the worker can do and how it is: capabilities once per model, health now and then.

import { SDWorkerError, type Capabilities, type Health, type ModelInfo } from "@sd-worker/sdk";
import { createStore } from "../lib/store";
import { client } from "./client";

export interface WorkerView {
  /** "unreachable" until the first answer. */
  state: "unreachable" | "loading" | "idle" | "busy" | "error";
  capabilities: Capabilities | null;
  health: Health | null;
  /** The loaded model's id; "" if there is none. */
  model: string;
  models: ModelInfo[];
}
export const worker = createStore<WorkerView>({ state: "unreachable", capabilities: null, health: null, model: "", models: [] });

let known = "";

export async function refreshWorker(): Promise<void> {
  try {
    const [health, ready, info] = await Promise.all([client.health(), client.ready(), client.info()]);
    worker.set((w) => ({ ...w, health, model: info.model_id, state: ready.state }));
    const now = `${info.model_id} ${ready.ready}`;
    if (now !== known || !worker.get().capabilities) {
      const capabilities = await client.capabilities();
      worker.set((w) => ({ ...w, capabilities }));
      known = now;
    }
  } catch (error) {
    const away = error instanceof SDWorkerError && error.status === 0;
    worker.set((w) => ({ ...w, state: away ? "unreachable" : w.state }));
  }
}

export async function refreshModels(): Promise<void> {
  const models = await client.models();
  worker.set((w) => ({ ...w, models }));
}

/** Asks again in time: quickly while something is not as it should be. */
export function watchWorker(): void {
  const round = async () => {
    if (!document.hidden) await refreshWorker();
    const { state, capabilities } = worker.get();
    setTimeout(round, state === "unreachable" || state === "loading" || !capabilities ? 1500 : 10_000);
  };
  void round();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void refreshWorker(); });
}
