// types.ts - the bodies of the native API under the names that programs use. What they are is in generated.ts, made from
// the worker's own description of itself.

import type * as wire from "./generated.js";

export type { Capabilities, CompleteEvent, Device, ErrorEvent, FieldInfo, Health, LoadingEvent, NarrationEvent, PreviewEvent, ProgressEvent, WorkerInfo } from "./generated.js";

/** Beside the named fields every field of `/v1/capabilities` may be given under its own name. Whole numbers above 2^53 are
 *  bigint and are sent digit for digit. Pictures are base64, with or without a data: prefix; white of a mask is painted anew. */
export type JobRequest = wire.JobRequest;
export type JobReply = wire.JobAccepted;
export type JobState = wire.JobStatus;
export type JobKind = JobState["kind"];
export type JobStatus = JobState["status"];
export type JobOutput = wire.JobOutput;
export type JobPage = wire.JobPage;
export type ModelInfo = wire.Model;
export type ModelChange = wire.ModelChange;
export type FieldProblem = wire.Violation;

/** Made here from the stream's end marker: on the wire a cancelled job has no event of its own. */
export interface CancelledEvent { type: "cancelled" }
/** What a job's stream brings, in order; exactly one of complete, error and cancelled comes last. */
export type JobEvent = wire.JobEvent | CancelledEvent;
