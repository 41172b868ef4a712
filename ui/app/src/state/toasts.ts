// toasts.ts - short messages that go by themselves; errors stay until closed.

import { createStore } from "../lib/store";

export interface Toast { id: number; kind: "info" | "error"; text: string }
export const toasts = createStore<Toast[]>([]);
let last = 0;

export function tell(text: string, kind: Toast["kind"] = "info"): void {
  const id = ++last;
  toasts.set((now) => [...now.filter((t) => t.text !== text).slice(-3), { id, kind, text }]);
  if (kind === "info") setTimeout(() => dismiss(id), 5000);
}

export function dismiss(id: number): void {
  toasts.set((now) => now.filter((t) => t.id !== id));
}

export function tellError(error: unknown): void {
  tell(error instanceof Error ? error.message : String(error), "error");
}
