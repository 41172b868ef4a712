// format.ts - numbers and times as people read them.

export function seconds(s: number): string {
  if (!Number.isFinite(s) || s < 0) return "";
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  const minutes = Math.floor(s / 60);
  return minutes < 90 ? `${minutes} min ${Math.round(s % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(n: number | undefined): string {
  if (!n) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(n) / 3));
  const value = n / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

export function when(time: number | string | null | undefined): string {
  if (!time) return "";
  return new Date(typeof time === "number" ? time : time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** "guidance_scale" as a label: "Guidance scale". */
export function label(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
