// snippets.ts - a request as a program that runs as it stands: curl in a POSIX shell, JavaScript (Node), Python. Pictures of
// the request are read from files named after their field; the result is written to picture.<format>.

import { stringifyJson, type JobRequest } from "@sd-worker/sdk";

const PICTURES = ["input_image", "init_image", "mask_image"];
const picturesOf = (request: JobRequest) => Object.keys(request).filter((k) => PICTURES.includes(k));
const formatOf = (request: JobRequest) => request.format ?? "png";

/** Pictures are not kept with a request: the fields that its operation needs stand for them. */
export function withPictures(request: JobRequest): JobRequest {
  if (request.operation === "image_transform") return { ...request, input_image: "" };
  return request.operation === "image_inpaint" ? { ...request, init_image: "", mask_image: "" } : request;
}

/** The request as JSON text, the value of each picture as `put` writes it. */
function body(request: JobRequest, put: (name: string) => string): string {
  const marked = Object.fromEntries(Object.entries(request).map(([k, v]) => [k, PICTURES.includes(k) ? `\u0001${k}` : v]));
  return stringifyJson(marked).replace(/"\\u0001(\w+)"/g, (_, name: string) => put(name));
}

const forShell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const forHeredoc = (text: string) => text.replace(/[\\$`]/g, "\\$&");

export function curl(base: string, request: JobRequest, withKey: boolean): string {
  const key = withKey ? ` \\\n  -H "Authorization: Bearer $SDW_API_KEY"` : "";
  const text = body(request, (name) => `"\u0002${name}"`);
  // A picture is too long for an argument: the body comes from a here document then.
  const data = picturesOf(request).length
    ? `@- <<END\n${forHeredoc(text).replace(/\u0002(\w+)/g, (_, name: string) => `$(base64 <${name}.png | tr -d '\\n')`)}\nEND\n`
    : forShell(text);
  return `job=$(curl -sS ${base}/v1/jobs${key} \\
  -H 'Content-Type: application/json' \\
  -d ${data})
stream=$(printf '%s' "$job" | sed -n 's/.*"sse_url":"\\([^"]*\\)".*/\\1/p')
curl -sSN "${base}\${stream:?\$job}"${key} |
  sed -n 's/.*"height":[0-9]*,"image":"\\([^"]*\\)".*"type":"complete".*/\\1/p' | base64 -d >picture.${formatOf(request)}
`;
}

export function javascript(base: string, request: JobRequest, withKey: boolean): string {
  const key = withKey ? `, Authorization: "Bearer " + process.env.SDW_API_KEY` : "";
  const files = picturesOf(request).length ? "readFileSync, " : "";
  return `import { ${files}writeFileSync } from "node:fs";

const headers = { "Content-Type": "application/json"${key} };
const body = ${literal(request)};
const post = await fetch("${base}/v1/jobs", { method: "POST", headers, body });
if (!post.ok) throw new Error(await post.text());
const { sse_url } = await post.json();

let rest = "";
for await (const piece of (await fetch("${base}" + sse_url, { headers })).body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop();
  for (const line of lines.filter((l) => l.startsWith("data: {"))) {
    const event = JSON.parse(line.slice(6));
    if (event.type === "progress") console.log(event.step, "/", event.total);
    if (event.type === "complete") writeFileSync("picture." + event.format, Buffer.from(event.image, "base64"));
    if (event.type === "error") throw new Error(event.message);
  }
}
`;
}

/** The body in JavaScript: an object, or its text where a seed is too long for a number. */
function literal(request: JobRequest): string {
  const file = (name: string) => `readFileSync("${name}.png", "base64")`;
  if (typeof request.seed === "bigint") {
    const text = JSON.stringify(body(request, (name) => `"\u0002${name}"`));
    return text.replace(/\u0002(\w+)|\\u0002(\w+)/g, (_, a?: string, b?: string) => `" + ${file(a ?? b ?? "")} + "`);
  }
  const lines = Object.entries(request).map(([k, v]) => `  ${k}: ${PICTURES.includes(k) ? file(k) : JSON.stringify(v)},`);
  return `JSON.stringify({\n${lines.join("\n")}\n})`;
}

const pythonValue = (v: unknown) => (v === true ? "True" : v === false ? "False" : v === null ? "None" : typeof v === "bigint" ? String(v) : JSON.stringify(v));

export function python(base: string, request: JobRequest, withKey: boolean): string {
  const key = withKey ? `, "Authorization": "Bearer " + os.environ["SDW_API_KEY"]` : "";
  const lines = Object.entries(request).map(([k, v]) =>
    `    "${k}": ${PICTURES.includes(k) ? `base64.b64encode(open("${k}.png", "rb").read()).decode()` : pythonValue(v)},`);
  return `import base64, json, ${withKey ? "os, " : ""}urllib.request

headers = {"Content-Type": "application/json"${key}}
body = {
${lines.join("\n")}
}
post = urllib.request.Request("${base}/v1/jobs", json.dumps(body).encode(), headers)
job = json.load(urllib.request.urlopen(post))
for line in urllib.request.urlopen(urllib.request.Request("${base}" + job["sse_url"], headers=headers)):
    if line.startswith(b"data: {"):
        event = json.loads(line[6:])
        if event["type"] == "progress":
            print(event["step"], "/", event["total"])
        elif event["type"] == "complete":
            open("picture." + event["format"], "wb").write(base64.b64decode(event["image"]))
        elif event["type"] == "error":
            raise SystemExit(event["message"])
`;
}
