// Make.tsx - the three pages that draw: a form on one side, the job in focus on the other.

import { useEffect, useState } from "react";
import { SDWorkerError, type JobRequest } from "@sd-worker/sdk";
import { base64OfBlob } from "../lib/bytes";
import { useStore } from "../lib/store";
import { Controls, type Problems } from "../components/Controls";
import { CopyAs } from "../components/CopyAs";
import { ImageInput } from "../components/ImageInput";
import { MaskEditor } from "../components/MaskEditor";
import { Prompt } from "../components/Prompt";
import { Stage } from "../components/Stage";
import { forms, mask, photos, remember, requestOf, type Mode } from "../state/forms";
import { focusOnPage, submit } from "../state/jobs";
import { tellError } from "../state/toasts";
import { worker } from "../state/worker";

const TITLES: Record<Mode, string> = { text: "Text to image", image: "Image to image", inpaint: "Inpainting" };

/** The form as a request with its pictures; throws problems by field. */
async function complete(mode: Mode): Promise<JobRequest> {
  const request = requestOf(mode, forms[mode].get());
  const problems: Problems = {};
  if (!request.prompt) problems["prompt"] = "Say what to draw";
  if (mode !== "text") {
    const photo = photos[mode].get();
    if (!photo) problems["input_image"] = "Choose a picture first";
    else request[mode === "image" ? "input_image" : "init_image"] = await base64OfBlob(photo.blob);
  }
  if (mode === "inpaint" && photos.inpaint.get()) {
    const drawn = mask.get();
    if (!drawn) problems["mask_image"] = "Paint over what is to be drawn anew";
    else request.mask_image = await base64OfBlob(await drawn);
  }
  if (Object.keys(problems).length) throw problems;
  return request;
}

export function Make({ mode }: { mode: Mode }) {
  const [problems, setProblems] = useState<Problems>({});
  const [sending, setSending] = useState(false);
  const [sent, setSent] = useState(0);
  const [copying, setCopying] = useState(false);
  const view = useStore(worker);
  const capabilities = view.capabilities;
  const photo = useStore(mode === "text" ? photos.image : photos[mode]);
  const refused = mode === "image" && capabilities?.img2img === false || mode === "inpaint" && capabilities?.inpainting === false;

  useEffect(() => focusOnPage(mode), [mode]);
  // Both after the page shows what has changed.
  useEffect(() => { if (Object.keys(problems).length) document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(); }, [problems]);
  useEffect(() => { if (sent) bringIntoView(); }, [sent]);

  const send = async () => {
    if (sending) return;
    setSending(true);
    setProblems({});
    try {
      const request = await complete(mode);
      remember(request.prompt);
      await submit(request, mode, mode === "text" ? undefined : photo?.blob);
      setSent((n) => n + 1);
    } catch (error) {
      const found = problemsOf(error);
      setProblems(found);
      if (!Object.keys(found).length) tellError(error);
    }
    setSending(false);
  };

  return (
    <div className="make">
      <form className="panel" aria-label={TITLES[mode]} noValidate onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <h1>{TITLES[mode]}</h1>
        {refused ? <p className="box">The loaded model cannot do this. Load another one in the settings.</p> : null}
        <Prompt mode={mode} error={problems["prompt"]} submit={() => void send()} />
        {mode === "text" ? null : (
          <ImageInput photo={photo} onPhoto={(p) => { photos[mode].set(p); if (mode === "inpaint") mask.set(null); }} error={problems["input_image"]} />
        )}
        <Controls mode={mode} problems={problems} />
        <Others problems={problems} />
        <div className="row submit">
          <button type="submit" className="primary" data-shortcut="generate" disabled={sending || refused}>Generate</button>
          <button type="button" className="quiet" onClick={() => setCopying(true)}>Copy as code</button>
        </div>
        {copying ? <CopyAs request={requestOf(mode, forms[mode].get())} close={() => setCopying(false)} /> : null}
      </form>
      <div className="side">
        {mode === "inpaint" && photo ? <MaskEditor photo={photo} error={problems["mask_image"]} /> : null}
        <Stage mode={mode} />
      </div>
    </div>
  );
}

/** On a phone the picture stands above the form, out of sight of whoever presses the button. */
function bringIntoView(): void {
  const stage = document.querySelector(".stage");
  if (stage && stage.getBoundingClientRect().top < 0) stage.scrollIntoView({ block: "start" });
}

function problemsOf(error: unknown): Problems {
  if (error instanceof SDWorkerError) return Object.fromEntries(error.fields.map((f) => [f.field, f.message]));
  return error && typeof error === "object" && !(error instanceof Error) ? (error as Problems) : {};
}

const SHOWN = ["prompt", "width", "height", "steps", "guidance_scale", "sampler", "schedule", "seed", "num_samples", "strength", "input_image", "init_image", "mask_image"];

/** Refusals of fields that have no control on this page. */
function Others({ problems }: { problems: Problems }) {
  const rest = Object.entries(problems).filter(([k]) => !SHOWN.includes(k));
  if (!rest.length) return null;
  return <div className="box error" role="alert">{rest.map(([k, v]) => <p key={k}><strong>{k}</strong>: {v}</p>)}</div>;
}
