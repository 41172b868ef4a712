// useJob.ts - one job at a time as React state; the other hooks are this one with an operation.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { SDWorkerClient, SDWorkerError, type CompleteEvent, type JobEvent, type JobRequest } from "@sd-worker/sdk";

export interface HookOptions {
  baseUrl?: string;
  workerId?: string;
  /** Instead of the two above: a client that is shared, with its key. */
  client?: SDWorkerClient;
}

export interface Progress { step: number; total: number; percentage: number }
export interface GenerationResult { imageBase64: string; seed: number | bigint; params: JobRequest; complete: CompleteEvent }

export interface Generation {
  /** Submits and follows; resolves with the result, or undefined if it failed or was cancelled (see error). */
  generate: (request: JobRequest) => Promise<GenerationResult | undefined>;
  cancel: () => Promise<void>;
  reset: () => void;
  isLoading: boolean;
  /** The same under another name that clients use. */
  loading: boolean;
  jobId: string | null;
  progress: Progress | null;
  /** Newest preview, base64 PNG. */
  preview: string | null;
  result: GenerationResult | null;
  /** The finished picture, base64. */
  image: string | null;
  error: SDWorkerError | null;
  cancelled: boolean;
}

interface State { jobId: string | null; isLoading: boolean; progress: Progress | null; preview: string | null; result: GenerationResult | null; error: SDWorkerError | null; cancelled: boolean }
const idle: State = { jobId: null, isLoading: false, progress: null, preview: null, result: null, error: null, cancelled: false };

export function useJob(options: HookOptions, prepare: (request: JobRequest) => JobRequest): Generation {
  const { baseUrl = "", workerId = "", client: shared } = options;
  const client = useMemo(() => shared ?? new SDWorkerClient(baseUrl, workerId), [shared, baseUrl, workerId]);
  const [state, setState] = useState<State>(idle);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const generate = useCallback(async (request: JobRequest) => {
    running.current?.abort();
    const control = (running.current = new AbortController());
    const update = (change: Partial<State>) => { if (!control.signal.aborted) setState((s) => ({ ...s, ...change })); };
    setState({ ...idle, isLoading: true });
    try {
      const params = prepare(request);
      const { job_id } = await client.submit(params);
      update({ jobId: job_id });
      let complete: CompleteEvent | undefined;
      for await (const event of client.follow(job_id, { signal: control.signal })) {
        update(changeBy(event));
        if (event.type === "complete") complete = event;
      }
      if (!complete) {
        update({ isLoading: false });
        return undefined;
      }
      const result = { imageBase64: complete.image, seed: complete.seed, params, complete };
      update({ isLoading: false, result });
      return result;
    } catch (error) {
      update({ isLoading: false, error: error instanceof SDWorkerError ? error : new SDWorkerError(String(error), 0, "CLIENT") });
      return undefined;
    }
  }, [client, prepare]);

  const jobId = state.jobId;
  const cancel = useCallback(async () => { if (jobId) await client.cancel(jobId); }, [client, jobId]);
  const reset = useCallback(() => { running.current?.abort(); setState(idle); }, []);
  return { ...state, loading: state.isLoading, image: state.result?.imageBase64 ?? null, generate, cancel, reset };
}

function changeBy(event: JobEvent): Partial<State> {
  switch (event.type) {
    case "progress": return { progress: { step: event.step, total: event.total, percentage: event.percent } };
    case "preview": return { preview: event.image };
    case "error": return { error: new SDWorkerError(event.message, 200, event.code), isLoading: false };
    case "cancelled": return { cancelled: true, isLoading: false };
    default: return {};
  }
}
