// follow.ts - a job's events from first to last, across lost connections.
//
// The worker numbers every event and the end marker. A stream that ends without a numbered marker (connection lost, worker
// restarted) is opened again with Last-Event-ID, so nothing is lost and nothing comes twice. 204 says that all was seen.

import { errorOf, SDWorkerError } from "./errors.js";
import { parse } from "./json.js";
import { messagesOf, type SSEMessage } from "./sse.js";
import type { JobEvent } from "./types.js";

export interface FollowOptions {
  /** Number of the last event already seen. */
  after?: number;
  signal?: AbortSignal;
  /** Called with each event's number, to resume later. */
  onNumber?: (n: number) => void;
  /** Called when the connection is lost (false) and back (true). */
  onConnection?: (open: boolean) => void;
  /** Milliseconds before the first new try; doubles up to 8 s. */
  retryMs?: number;
  /** New tries in a row without a single event before giving up. */
  triesMax?: number;
}

export type Fetcher = (path: string, init: RequestInit) => Promise<Response>;

type Step = { event?: JobEvent; end: boolean };

function stepOf(message: SSEMessage): Step {
  const text = message.data;
  const numbered = message.id !== undefined;
  if (text === "[DONE]") return { end: numbered };
  if (text === "[CANCELLED]") return numbered ? { event: { type: "cancelled" }, end: true } : { end: false };
  if (text.startsWith("[ERROR]")) return { end: numbered }; // the error event came before; unnumbered: the job is kept
  const event = parse(text) as JobEvent;
  return { event, end: false };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); signal?.removeEventListener("abort", done); resolve(); };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}

/** Yields every event of a job; ends after its last one, or when the signal aborts. Throws SDWorkerError when the job is
 *  unknown, access is refused, or the worker stays away for too long. */
export async function* follow(fetcher: Fetcher, path: string, options: FollowOptions = {}): AsyncGenerator<JobEvent> {
  const { signal } = options;
  const first = options.retryMs ?? 500;
  let last = options.after ?? 0;
  let failures = 0;
  while (!signal?.aborted) {
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last > 0) headers["Last-Event-ID"] = String(last);
      const answer = await fetcher(path, { headers, ...(signal ? { signal } : {}) });
      if (answer.status === 204) return;
      if (!answer.ok) {
        const error = await errorOf(answer);
        if (answer.status < 500 && answer.status !== 429) throw error;
        throw new SDWorkerError(error.message, 0, error.code);
      }
      options.onConnection?.(true);
      for await (const message of messagesOf(answer)) {
        failures = 0;
        const number = Number(message.id);
        if (message.id !== undefined && number > 0) {
          last = number;
          options.onNumber?.(number);
        }
        const step = stepOf(message);
        if (step.event) yield step.event;
        if (step.end) return;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof SDWorkerError && error.status !== 0) throw error;
    }
    options.onConnection?.(false);
    if (++failures > (options.triesMax ?? 20)) throw new SDWorkerError("The worker cannot be reached", 0, "UNREACHABLE");
    await pause(Math.min(first * 2 ** (failures - 1), 8000), signal);
  }
}
