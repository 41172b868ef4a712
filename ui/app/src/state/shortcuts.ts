// shortcuts.ts - keys that work everywhere on the page; the help sheet is this table.

import { go, type Page } from "./route";

interface Shortcut {
  shown: string[];
  help: string;
  /** Also while typing in a field. */
  typing?: boolean;
  match?: (e: KeyboardEvent) => boolean;
  run?: () => void;
}

function press(name: string): void {
  const element = document.querySelector<HTMLElement>(`[data-shortcut="${name}"]`);
  if (element instanceof HTMLButtonElement) element.click();
  else element?.focus();
}

const plain = (key: string) => (e: KeyboardEvent) => e.key === key && !e.ctrlKey && !e.metaKey && !e.altKey;
const toPage = (key: string, to: Page, name: string): Shortcut => ({ shown: [key], help: name, match: plain(key), run: () => go(to) });

export const SHORTCUTS: Shortcut[] = [
  { shown: ["Ctrl", "Enter"], help: "Generate", typing: true, match: (e) => e.key === "Enter" && (e.ctrlKey || e.metaKey), run: () => press("generate") },
  { shown: ["Esc"], help: "Cancel the job in view (outside of fields and dialogs)", match: plain("Escape"), run: () => press("cancel") },
  { shown: ["/"], help: "Go to the prompt", match: plain("/"), run: () => press("prompt") },
  { shown: ["s"], help: "Download the picture", match: plain("s"), run: () => press("download") },
  { shown: ["r"], help: "Reuse the seed", match: plain("r"), run: () => press("reuse-seed") },
  toPage("1", "text", "Text to image"),
  toPage("2", "image", "Image to image"),
  toPage("3", "inpaint", "Inpainting"),
  toPage("4", "gallery", "Gallery"),
  toPage("5", "queue", "Queue"),
  toPage("6", "settings", "Settings"),
  { shown: ["?"], help: "This sheet", match: plain("?"), run: () => press("help") },
  { shown: ["["], help: "Smaller brush (in the mask)" },
  { shown: ["]"], help: "Larger brush (in the mask)" },
  { shown: ["Ctrl", "Z"], help: "Undo in the mask; with Shift redo" },
  { shown: ["Arrows"], help: "Move the brush in the mask; with Shift draw, Space for a dot" },
];

export function startShortcuts(): () => void {
  const onKey = (e: KeyboardEvent) => {
    if (e.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = e.target as HTMLElement;
    const typing = target.closest("input:not([type=range]):not([type=checkbox]), textarea, select") !== null;
    const found = SHORTCUTS.find((s) => s.match?.(e) && (s.typing || !typing));
    if (!found?.run) return;
    e.preventDefault();
    found.run();
  };
  window.addEventListener("keydown", onKey);
  return () => window.removeEventListener("keydown", onKey);
}
