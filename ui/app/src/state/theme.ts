// theme.ts - light, dark, or what the system says.

import { savedStore } from "../lib/saved";

export type Theme = "auto" | "light" | "dark";
export const theme = savedStore<Theme>("sd_worker_theme", "auto", "local", true);

function apply(): void {
  document.documentElement.dataset["theme"] = theme.get();
}
theme.subscribe(apply);
apply();
