export { SDWorkerClient, type ClientOptions, type JobPage } from "./client.js";
export { SDWorkerError, type FieldProblem } from "./errors.js";
export { follow, type FollowOptions } from "./follow.js";
export { parse as parseJson, stringify as stringifyJson } from "./json.js";
export { messagesOf, SSEParser, type SSEMessage } from "./sse.js";
export type * from "./types.js";
