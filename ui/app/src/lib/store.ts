// store.ts - a value that components follow. One idea, no library: set, read, subscribe.

import { useSyncExternalStore } from "react";

export interface Store<T> {
  get: () => T;
  set: (next: T | ((now: T) => T)) => void;
  subscribe: (listener: () => void) => () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      const now = typeof next === "function" ? (next as (v: T) => T)(value) : next;
      if (Object.is(now, value)) return;
      value = now;
      listeners.forEach((l) => l());
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The store's value, or a part of it; renders again when that part changes. */
export function useStore<T, P = T>(store: Store<T>, part: (value: T) => P = (v) => v as unknown as P): P {
  return useSyncExternalStore(store.subscribe, () => part(store.get()));
}
