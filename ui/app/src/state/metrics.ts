// metrics.ts - a few numbers out of the worker's Prometheus text.

import { createStore } from "../lib/store";
import { client } from "./client";

export interface Numbers { memory: number; model: number; steps: number; images: number; queued: number; running: number; secondsPerStep?: number }
export const metrics = createStore<Numbers | null>(null);

/** Sum over all series of a family. */
export function sumOf(text: string, name: string): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith(name) && (line[name.length] === " " || line[name.length] === "{")) sum += Number(line.slice(line.lastIndexOf(" ") + 1)) || 0;
  }
  return sum;
}

export async function readMetrics(): Promise<void> {
  try {
    const answer = await client.request("/metrics");
    if (!answer.ok) return;
    const text = await answer.text();
    const steps = sumOf(text, "sdw_denoise_steps_total");
    const denoise = text.split("\n").find((l) => l.startsWith("sdw_stage_duration_seconds_sum") && l.includes("denoise"));
    const spent = denoise ? Number(denoise.slice(denoise.lastIndexOf(" ") + 1)) : 0;
    metrics.set({
      memory: sumOf(text, "process_resident_memory_bytes"), model: sumOf(text, "sdw_model_memory_bytes"), steps, images: sumOf(text, "sdw_images_total"),
      queued: sumOf(text, "sdw_queue_depth"), running: sumOf(text, "sdw_jobs_running"), ...(spent > 0 && steps > 0 ? { secondsPerStep: spent / steps } : {}),
    });
  } catch {
    metrics.set(null);
  }
}
