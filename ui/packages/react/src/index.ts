// Hooks by what they draw. Each returns the same thing: generate, cancel, progress, preview, result, error.

import { useCallback, useEffect, useState } from "react";
import { SDWorkerClient, type JobRequest } from "@sd-worker/sdk";
import { useJob, type Generation, type HookOptions, type Progress } from "./useJob.js";

export type { Generation, GenerationResult, HookOptions, Progress } from "./useJob.js";

const asGeneration = (r: JobRequest): JobRequest => ({ ...r, operation: "image_generation" });
const asTransform = (r: JobRequest): JobRequest => ({ ...r, operation: "image_transform" });
const asInpaint = (r: JobRequest): JobRequest => ({ ...r, operation: "image_inpaint" });

export function useTextToImage(options: HookOptions = {}): Generation {
  return useJob(options, asGeneration);
}
/** The request carries input_image. */
export function useImageToImage(options: HookOptions = {}): Generation {
  return useJob(options, asTransform);
}
/** The request carries init_image and mask_image (white is painted anew). */
export function useInpainting(options: HookOptions = {}): Generation {
  return useJob(options, asInpaint);
}

/** Progress of a job that somebody else submitted. */
export function useGenerationProgress(jobId: string | null, options: HookOptions = {}) {
  const { baseUrl = "", workerId = "", client } = options;
  const [progress, setProgress] = useState<Progress | null>(null);
  const [preview, setPreview] = useState<string | null>(null);
  const [ended, setEnded] = useState<"complete" | "error" | "cancelled" | null>(null);
  const [error, setError] = useState<string | null>(null);

  const watch = useCallback(async (id: string, signal: AbortSignal) => {
    const c = client ?? new SDWorkerClient(baseUrl, workerId);
    try {
      for await (const event of c.follow(id, { signal })) {
        if (event.type === "progress") setProgress({ step: event.step, total: event.total, percentage: event.percent });
        else if (event.type === "preview") setPreview(event.image);
        else if (event.type === "error") { setEnded("error"); setError(event.message); }
        else if (event.type === "complete" || event.type === "cancelled") setEnded(event.type);
      }
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setEnded("error");
    }
  }, [baseUrl, workerId, client]);

  useEffect(() => {
    setProgress(null); setPreview(null); setEnded(null); setError(null);
    if (!jobId) return;
    const control = new AbortController();
    void watch(jobId, control.signal);
    return () => control.abort();
  }, [jobId, watch]);
  return { progress, preview, ended, error };
}
