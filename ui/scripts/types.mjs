// types.mjs - TypeScript from the OpenAPI document, which the worker prints:
//
//     sdw help --openapi | node scripts/types.mjs >packages/sdk/src/generated.ts
//
// Every schema that the native routes and those of models lead to becomes an interface, and every such route a row of
// `Routes`: what it takes, answers or streams. `make ui-types` runs this; a test fails when the file is stale.

import { readFileSync } from "node:fs";

const api = JSON.parse(readFileSync(0, "utf8"));
const known = api.components.schemas;
const nameOf = (ref) => ref.slice(ref.lastIndexOf("/") + 1);
const quoted = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));

/** A schema as a type. */
function typeOf(s) {
  if (s.$ref) return nameOf(s.$ref);
  const ways = s.oneOf ?? s.anyOf;
  if (ways) return ways.map(typeOf).join(" | ");
  if (s.enum && !s["x-open"]) return s.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (Array.isArray(s.type)) return s.type.map((type) => typeOf({ ...s, type })).join(" | ");
  switch (s.type) {
    case "integer": return s.maximum > Number.MAX_SAFE_INTEGER ? "number | bigint" : "number";
    case "number": return "number";
    case "boolean": return "boolean";
    case "null": return "null";
    case "string": return "string";
    case "array": return arrayOf(s);
    case "object": return s.properties ? `{ ${membersOf(s).join(" ")} }` : `Record<string, ${typeof s.additionalProperties === "object" ? typeOf(s.additionalProperties) : "unknown"}>`;
    default: return "unknown";
  }
}

function arrayOf(s) {
  const item = typeOf(s.items ?? {});
  if (s.minItems !== undefined && s.minItems === s.maxItems) return `[${Array(s.minItems).fill(item).join(", ")}]`;
  return item.includes(" ") ? `(${item})[]` : `${item}[]`;
}

function membersOf(s) {
  const must = new Set(s.required ?? []);
  const rows = Object.entries(s.properties).map(([name, p]) => `${p.description ? `/** ${p.description} */\n  ` : ""}${quoted(name)}${must.has(name) ? "" : "?"}: ${typeOf(p)};`);
  return s.additionalProperties === true ? [...rows, "[field: string]: unknown;"] : rows;
}

function refsIn(value, found) {
  if (Array.isArray(value)) value.forEach((v) => refsIn(v, found));
  else if (value && typeof value === "object") {
    for (const [key, v] of Object.entries(value)) {
      if (key === "$ref" && v.startsWith("#/components/schemas/")) reach(nameOf(v), found);
      else refsIn(v, found);
    }
  }
}

function reach(name, found) {
  if (found.has(name)) return;
  if (!known[name]) throw new Error(`the document has no schema ${name}`);
  found.add(name);
  refsIn(known[name], found);
}

const eventsOf = (operation) => operation.responses["200"]?.content?.["text/event-stream"]?.schema?.["x-event-data"];

/** One row of `Routes`, or nothing for routes that are not the client's business. */
function routeOf(method, path, operation) {
  if (!operation.tags.includes("native") && !path.startsWith("/v1/models")) return undefined;
  const parts = [];
  const query = (operation.parameters ?? []).filter((p) => p.in === "query");
  if (query.length) parts.push(`query: { ${query.map((p) => `${quoted(p.name)}?: ${typeOf(p.schema)}`).join("; ")} }`);
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) parts.push(`body: ${typeOf(body)}`);
  const [answer] = Object.entries(operation.responses).filter(([status]) => status.startsWith("2")).map(([, r]) => r.content ?? {});
  const json = answer?.["application/json"]?.schema;
  const events = eventsOf(operation);
  if (json?.$ref) parts.push(`answer: ${typeOf(json)}`);
  if (events) parts.push(`events: ${nameOf(events)}`);
  if (!json?.$ref && !events) return undefined;
  return `  "${method.toUpperCase()} ${path}": { ${parts.join("; ")} };`;
}

const rows = [];
const names = new Set(["Refusal"].filter((n) => known[n]));
names.forEach((n) => refsIn(known[n], names));
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const row = routeOf(method, path, operation);
    if (!row) continue;
    rows.push(row);
    refsIn([operation.requestBody, operation.responses], names);
    const events = eventsOf(operation);
    if (events) reach(nameOf(events), names);
  }
}

console.log("// generated.ts - the API as the worker's OpenAPI document tells it. Made by scripts/types.mjs (make ui-types): do not edit.\n");
for (const name of [...names].sort()) {
  const s = known[name];
  if (s.properties) console.log(`export interface ${name} {\n${membersOf(s).map((m) => `  ${m}\n`).join("")}}\n`);
  else console.log(`export type ${name} = ${typeOf(s)};\n`);
}
console.log(`/** "METHOD path": what a route takes and gives. */\nexport interface Routes {\n${rows.join("\n")}\n}`);
