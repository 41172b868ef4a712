import { useState } from "react";
import type { JobRequest } from "@sd-worker/sdk";
import { curl, javascript, python, withPictures } from "../lib/snippets";
import { apiKey, baseUrl } from "../state/client";
import { tell } from "../state/toasts";
import { Dialog } from "./Dialog";

const KINDS = { curl, JavaScript: javascript, Python: python };
type Kind = keyof typeof KINDS;

export function CopyAs({ request, close }: { request: JobRequest; close: () => void }) {
  const [kind, setKind] = useState<Kind>("curl");
  const full = withPictures(request);
  const files = ["input_image", "init_image", "mask_image"].filter((k) => k in full).map((k) => `${k}.png`);
  const text = KINDS[kind](baseUrl, full, apiKey.get() !== "");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied");
    } catch {
      tell("The browser refuses to copy: select the text instead", "error");
    }
  };
  return (
    <Dialog title="This request as code" close={close} wide>
      <div className="row tabs" role="group" aria-label="Language">
        {(Object.keys(KINDS) as Kind[]).map((k) => <button key={k} type="button" aria-pressed={k === kind} onClick={() => setKind(k)}>{k}</button>)}
        <button type="button" className="primary push" onClick={() => void copy()}>Copy</button>
      </div>
      {files.length ? <p className="hint">Reads {files.join(" and ")} from the current folder.</p> : null}
      {apiKey.get() ? <p className="hint">Takes the key from the environment variable SDW_API_KEY.</p> : null}
      <pre tabIndex={0} aria-label={`${kind} code`}>{text}</pre>
    </Dialog>
  );
}
