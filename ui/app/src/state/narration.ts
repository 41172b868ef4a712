// narration.ts - tells a page that shows us in a frame what the worker narrates.

import type { NarrationEvent } from "@sd-worker/sdk";

export function narrate(payload: NarrationEvent): void {
  if (window.parent === window) return;
  window.parent.postMessage({ type: "NARRATION_EVENT", payload, source: "sd-worker", timestamp: Date.now(), version: "1.0.0" }, "*");
}
