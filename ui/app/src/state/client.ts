// client.ts - the one client of the page, and the key that some workers want. The key lives as long as the tab.

import { SDWorkerClient } from "@sd-worker/sdk";
import { savedStore } from "../lib/saved";
import { createStore } from "../lib/store";

export const apiKey = savedStore<string>("sd_worker_key", "", "session");
/** Set when the worker refused us for lack of a key (or a wrong one): the page asks for it. */
export const keyWanted = createStore<"no" | "missing" | "wrong">("no");

// The page may lie below a path prefix of a proxy: the API lies beside it.
const base = new URL(".", window.location.href).href.replace(/\/$/, "");

export const client = new SDWorkerClient(base, "", {
  apiKey: () => apiKey.get() || undefined,
  fetch: async (input, init) => {
    const answer = await fetch(input, init);
    if (answer.status === 401) keyWanted.set(apiKey.get() ? "wrong" : "missing");
    return answer;
  },
});

export const baseUrl = base;
