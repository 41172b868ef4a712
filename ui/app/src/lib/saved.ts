// saved.ts - small values in localStorage and sessionStorage; an iframe or a private window may have neither.

import { createStore, type Store } from "./store";

function area(kind: "local" | "session"): Storage | undefined {
  try {
    return kind === "local" ? window.localStorage : window.sessionStorage;
  } catch {
    return undefined;
  }
}

export function load<T>(key: string, fallback: T, kind: "local" | "session" = "local"): T {
  try {
    const text = area(kind)?.getItem(key);
    return text ? (JSON.parse(text) as T) : fallback;
  } catch {
    return fallback;
  }
}

/** False when the browser keeps nothing (no storage, or full). */
export function save(key: string, value: unknown, kind: "local" | "session" = "local"): boolean {
  try {
    const to = area(kind);
    if (!to) return false;
    if (value === undefined) to.removeItem(key);
    else to.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** A store that remembers its value from visit to visit; `shared`: what another window of this browser sets holds here too. */
export function savedStore<T>(key: string, fallback: T, kind: "local" | "session" = "local", shared = false): Store<T> {
  const store = createStore<T>(load(key, fallback, kind));
  store.subscribe(() => save(key, store.get(), kind));
  if (shared) window.addEventListener("storage", (e) => { if (e.key === key) store.set(load(key, fallback, kind)); });
  return store;
}
