// schema.ts - a value held against a schema of the worker's OpenAPI document, both ways: what the schema asks for must be
// there, and what is there must stand in the schema.

export type Schema = {
  $ref?: string; type?: string | string[]; enum?: unknown[]; oneOf?: Schema[]; anyOf?: Schema[]; items?: Schema; minItems?: number; maxItems?: number;
  properties?: Record<string, Schema>; required?: string[]; additionalProperties?: boolean | Schema; minimum?: number; maximum?: number;
};

const kindOf = (v: unknown) => (v === null ? "null" : Array.isArray(v) ? "array" : typeof v === "bigint" || Number.isInteger(v) ? "integer" : typeof v);

/** What is wrong, in words; [] if nothing. */
export function breaches(value: unknown, schema: Schema, all: Record<string, Schema>, where = "it"): string[] {
  if (schema.$ref) return breaches(value, all[schema.$ref.split("/").at(-1)!]!, all, where);
  const ways = schema.oneOf ?? schema.anyOf;
  if (ways) {
    const each = ways.map((w) => breaches(value, w, all, where));
    const fit = each.filter((b) => b.length === 0).length;
    return fit === 1 || (schema.anyOf && fit > 0) ? [] : [`${where} fits ${fit} of ${ways.length} schemas: ${each.map((b) => b[0]).join("; ")}`];
  }
  const kind = kindOf(value);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length && !types.includes(kind) && !(kind === "integer" && types.includes("number"))) return [`${where} is of type ${kind}, not ${types.join(" or ")}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${where} is ${String(value)}, not one of ${schema.enum.join(", ")}`];
  if (Array.isArray(value)) {
    const wrong = value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity) ? [`${where} has ${value.length} items`] : [];
    return [...wrong, ...value.flatMap((v, i) => breaches(v, schema.items ?? {}, all, `${where}[${i}]`))];
  }
  if (kind !== "object" || !types.includes("object")) return [];
  const object = value as Record<string, unknown>;
  const missing = (schema.required ?? []).filter((k) => !(k in object)).map((k) => `${where}.${k} is missing`);
  const inside = Object.entries(object).flatMap(([k, v]) => {
    const known = schema.properties?.[k] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined);
    if (known) return breaches(v, known, all, `${where}.${k}`);
    return schema.properties && schema.additionalProperties !== true ? [`${where}.${k} stands in no schema`] : [];
  });
  return [...missing, ...inside];
}
