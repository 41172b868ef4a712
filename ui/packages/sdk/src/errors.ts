// errors.ts - a refusal of the worker, with the field at fault where there is one.

import type { Refusal } from "./generated.js";
import type { FieldProblem } from "./types.js";

export class SDWorkerError extends Error {
  override readonly name = "SDWorkerError";

  constructor(
    message: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The worker's word, such as "INVALID_REQUEST" or "QUEUE_FULL". */
    readonly code: string,
    readonly fields: FieldProblem[] = [],
    /** Seconds after which to try again, where the worker named them. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** The error in an answer that is not 2xx; a body that is no error object still gives a sentence. */
export async function errorOf(answer: Response): Promise<SDWorkerError> {
  let code = "HTTP_" + answer.status;
  let message = `The worker answered ${answer.status}` + (answer.statusText ? ` (${answer.statusText})` : "");
  let fields: FieldProblem[] = [];
  try {
    const body = (await answer.json()) as Partial<Refusal>;
    if (body.error?.code) code = body.error.code;
    if (body.error?.message) message = body.error.message;
    if (Array.isArray(body.errors)) fields = body.errors;
  } catch {
    // not JSON: the sentence above stands
  }
  const wait = Number(answer.headers.get("retry-after"));
  return new SDWorkerError(message, answer.status, code, fields, wait > 0 ? wait : undefined);
}
