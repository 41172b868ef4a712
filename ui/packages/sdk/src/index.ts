export { SDWorkerClient, type ClientOptions } from "./client.js";
export { SDWorkerError } from "./errors.js";
export { follow, type FollowOptions } from "./follow.js";
export { parse as parseJson, stringify as stringifyJson } from "./json.js";
export { messagesOf, SSEParser, type SSEMessage } from "./sse.js";
export type { Routes } from "./generated.js";
export type * from "./types.js";
