// snippets.ts - a request as a program: curl, JavaScript, Python. Pictures are left out as "<base64 of ...>".

import { stringifyJson, type JobRequest } from "@sd-worker/sdk";

const PICTURES = ["input_image", "init_image", "mask_image"];

export function shown(request: JobRequest): JobRequest {
  return Object.fromEntries(Object.entries(request).map(([k, v]) => [k, PICTURES.includes(k) ? `<base64 of ${k}.png>` : v])) as JobRequest;
}

export function curl(base: string, request: JobRequest, withKey: boolean): string {
  const body = stringifyJson(shown(request)).replaceAll("'", "'\\''");
  const key = withKey ? ` \\\n  -H "Authorization: Bearer $SDW_API_KEY"` : "";
  return `curl -s ${base}/v1/jobs \\\n  -H 'Content-Type: application/json'${key} \\\n  -d '${body}'\n# then: curl -N ${base}<sse_url of the answer>\n`;
}

export function javascript(base: string, request: JobRequest, withKey: boolean): string {
  const options = withKey ? `, "", { apiKey: () => process.env.SDW_API_KEY }` : "";
  return `import { SDWorkerClient } from "@sd-worker/sdk";
import { writeFileSync } from "node:fs";

const client = new SDWorkerClient("${base}"${options});
const done = await client.generate(${indented(request)}, (event) => console.log(event.type));
writeFileSync("picture." + done.format, Buffer.from(done.image, "base64"));
`;
}

export function python(base: string, request: JobRequest, withKey: boolean): string {
  const key = withKey ? `\nheaders["Authorization"] = "Bearer " + os.environ["SDW_API_KEY"]` : "";
  return `import base64, json, urllib.request${withKey ? ", os" : ""}

headers = {"Content-Type": "application/json"}${key}
body = json.loads(r'''${stringifyJson(shown(request))}''')
post = urllib.request.Request("${base}/v1/jobs", json.dumps(body).encode(), headers)
job = json.load(urllib.request.urlopen(post))
for line in urllib.request.urlopen(urllib.request.Request("${base}" + job["sse_url"], headers=headers)):
    if line.startswith(b'data: {'):
        event = json.loads(line[6:])
        if event["type"] == "progress":
            print(event["step"], "/", event["total"])
        elif event["type"] == "complete":
            open("picture." + event["format"], "wb").write(base64.b64decode(event["image"]))
        elif event["type"] == "error":
            raise SystemExit(event["message"])
`;
}

function indented(request: JobRequest): string {
  const lines = Object.entries(shown(request)).map(([k, v]) => `  ${k}: ${typeof v === "bigint" ? `${v}n` : JSON.stringify(v)},`);
  return `{\n${lines.join("\n")}\n}`;
}
