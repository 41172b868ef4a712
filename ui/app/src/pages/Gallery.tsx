// Gallery.tsx - every picture that the worker or this browser still has.

import { Fragment, useEffect, useMemo, useState } from "react";
import { saveFile } from "../lib/bytes";
import { label, when } from "../lib/format";
import { zipOf } from "../lib/zip";
import { useStore } from "../lib/store";
import { CopyAs } from "../components/CopyAs";
import { Dialog } from "../components/Dialog";
import { useObjectUrl } from "../components/ImageInput";
import { client } from "../state/client";
import { fillForm } from "../state/forms";
import { blobOf, combined, favour, kept, remove, storageProblem, type Picture } from "../state/gallery";
import { go } from "../state/route";
import { sendTo } from "../state/send";
import { tellError } from "../state/toasts";
import type { JobState } from "@sd-worker/sdk";

/** What tells one picture from another; the rest is in the file. */
const FACTS = ["negative_prompt", "width", "height", "steps", "guidance_scale", "sampler", "schedule", "seed", "strength"];

const nameOf = (p: Picture) => `generated_${p.id}.${p.format}`;

export function Gallery() {
  const own = useStore(kept);
  const problem = useStore(storageProblem);
  const [server, setServer] = useState<JobState[]>([]);
  const [text, setText] = useState("");
  const [favourites, setFavourites] = useState(false);
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [open, setOpen] = useState<Picture | null>(null);
  const reload = () => client.outputs({ limit: 200 }).then((page) => setServer(page.jobs), () => setServer([]));
  useEffect(() => { void reload(); }, [own.length]);
  const all = useMemo(() => combined(own, server), [own, server]);
  const shown = all.filter((p) => (!favourites || p.favourite) && matches(p, text));
  const picked = shown.filter((p) => chosen.has(p.id));

  const drop = async (pictures: Picture[]) => {
    const many = pictures.length === 1 ? "this picture" : `these ${pictures.length} pictures`;
    if (!window.confirm(`Delete ${many} from this browser and from the worker?`)) return;
    await remove(pictures);
    setChosen(new Set());
    setOpen(null);
    await reload();
  };
  const download = async (pictures: Picture[]) => {
    const files = await Promise.all(pictures.map(async (p) => ({ name: nameOf(p), blob: await blobOf(p) })));
    if (files.length === 1) saveFile(files[0]!.blob, files[0]!.name);
    else saveFile(await zipOf(files), `sd-worker-${files.length}-pictures.zip`);
  };
  const toggle = (id: string) => setChosen((now) => {
    const next = new Set(now);
    if (!next.delete(id)) next.add(id);
    return next;
  });
  return (
    <section className="page">
      <h1>Gallery</h1>
      {problem ? <p className="box">{problem}</p> : null}
      <div className="row">
        <input type="search" aria-label="Search prompts" placeholder="Search prompts, seeds, samplers" value={text} onChange={(e) => setText(e.target.value)} />
        <button type="button" aria-pressed={favourites} onClick={() => setFavourites(!favourites)}>Favourites</button>
        <span className="muted" role="status">{shown.length} {shown.length === 1 ? "picture" : "pictures"}</span>
        <span className="push" />
        {picked.length ? <button type="button" onClick={() => download(picked).catch(tellError)}>Download {picked.length}</button> : null}
        {picked.length ? <button type="button" className="danger" onClick={() => drop(picked).catch(tellError)}>Delete {picked.length}</button> : null}
        <button type="button" className="quiet" onClick={() => setChosen(picked.length === shown.length ? new Set() : new Set(shown.map((p) => p.id)))}>
          {picked.length && picked.length === shown.length ? "Select none" : "Select all"}
        </button>
      </div>
      {shown.length === 0 ? <p className="muted">{all.length ? "Nothing matches." : "Pictures that you generate appear here."}</p> : null}
      <ul className="grid">
        {shown.map((p) => (
          <li key={p.id} className={chosen.has(p.id) ? "chosen" : ""}>
            <button type="button" className="tile" onClick={() => setOpen(p)} aria-label={`Open: ${p.prompt || "picture"}`}>
              <img src={p.thumbnail} alt="" loading="lazy" />
            </button>
            <label className="pick"><input type="checkbox" checked={chosen.has(p.id)} onChange={() => toggle(p.id)} aria-label={`Select: ${p.prompt || "picture"}`} /></label>
            {p.favourite ? <span className="star" aria-label="Favourite">★</span> : null}
            <p title={p.prompt}>{p.prompt || "–"}</p>
          </li>
        ))}
      </ul>
      {open ? <Detail picture={all.find((p) => p.id === open.id) ?? open} close={() => setOpen(null)} drop={() => drop([open]).catch(tellError)} download={() => download([open]).catch(tellError)} /> : null}
    </section>
  );
}

function matches(p: Picture, text: string): boolean {
  const hay = `${p.prompt} ${p.seed} ${p.params.negative_prompt ?? ""} ${p.params.sampler ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

function Detail({ picture, close, drop, download }: { picture: Picture; close: () => void; drop: () => void; download: () => void }) {
  const [blob, setBlob] = useState<Blob | null>(null);
  const [problem, setProblem] = useState("");
  const [copying, setCopying] = useState(false);
  const url = useObjectUrl(blob);
  useEffect(() => { blobOf(picture).then(setBlob, (e: Error) => setProblem(e.message)); }, [picture.id]);
  const request = { ...picture.params, seed: /^\d{1,15}$/.test(picture.seed) ? Number(picture.seed) : BigInt(picture.seed || "0") };
  const reuse = () => {
    fillForm("text", request);
    close();
    go("text");
  };
  const send = (to: "image" | "inpaint") => blobOf(picture).then((b) => sendTo(to, b, picture.params)).then(close, tellError);
  const known = request as Record<string, unknown>;
  const facts = FACTS.filter((k) => known[k] !== null && known[k] !== undefined && known[k] !== "");
  return (
    <Dialog title="Picture" close={close} wide>
      <div className="detail">
        <div>{url ? <img src={url} alt={picture.prompt} /> : <p className="muted">{problem || "Loading"}</p>}</div>
        <div>
          <p className="prompt-text">{picture.prompt}</p>
          <div className="actions">
            <button type="button" onClick={download}>Download</button>
            <button type="button" onClick={reuse}>Reuse parameters</button>
            <button type="button" onClick={() => void send("image")}>Image to image</button>
            <button type="button" onClick={() => void send("inpaint")}>Inpaint</button>
            <button type="button" onClick={() => setCopying(true)}>Copy as code</button>
            {picture.kept ? <button type="button" aria-pressed={picture.favourite} onClick={() => favour(picture, !picture.favourite).catch(tellError)}>Favourite</button> : null}
            <button type="button" className="danger" onClick={drop}>Delete</button>
          </div>
          <dl>
            <dt>Made</dt><dd>{when(picture.timestamp)}</dd>
            {facts.map((k) => <Fragment key={k}><dt>{label(k)}</dt><dd>{String(known[k])}</dd></Fragment>)}
            <dt>Kept</dt><dd>{[picture.outputId && "by the worker", picture.kept && "in this browser"].filter(Boolean).join(", ") || "nowhere"}</dd>
          </dl>
        </div>
      </div>
      {copying ? <CopyAs request={request} close={() => setCopying(false)} /> : null}
    </Dialog>
  );
}
