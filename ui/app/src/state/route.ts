// route.ts - pages are #/name, so that the worker needs to know one file only and a prefix of a proxy does no harm.

import { createStore } from "../lib/store";
import type { Mode } from "./forms";

export const PAGES = ["text", "image", "inpaint", "gallery", "queue", "settings"] as const;
export type Page = (typeof PAGES)[number];

function current(): Page {
  const name = window.location.hash.replace(/^#\//, "").split("?")[0];
  return PAGES.find((p) => p === name) ?? "text";
}

export const page = createStore<Page>(current());
window.addEventListener("hashchange", () => page.set(current()));

/** The page as one that draws; null for the others. */
export const modeOf = (p: Page): Mode | null => (p === "text" || p === "image" || p === "inpaint" ? p : null);

export function go(to: Page): void {
  window.location.hash = `#/${to}`;
}
