// App.tsx - the frame around every page: where one is, how the worker is, messages.

import { useEffect, useState } from "react";
import { Help } from "./components/Help";
import { KeyDialog } from "./components/KeyDialog";
import { fieldsOfTexts } from "./lib/infotext";
import { pngTexts } from "./lib/pngText";
import { useStore } from "./lib/store";
import { Gallery } from "./pages/Gallery";
import { Make } from "./pages/Make";
import { Queue } from "./pages/Queue";
import { Settings } from "./pages/Settings";
import { fillForm, type Mode } from "./state/forms";
import { isOver, jobs } from "./state/jobs";
import { go, modeOf, page, PAGES, type Page } from "./state/route";
import { startShortcuts } from "./state/shortcuts";
import { dismiss, tell, toasts } from "./state/toasts";
import { worker } from "./state/worker";

const NAMES: Record<Page, string> = { text: "Text", image: "Image", inpaint: "Inpaint", gallery: "Gallery", queue: "Queue", settings: "Settings" };

export function App() {
  const now = useStore(page);
  const [help, setHelp] = useState(false);
  useEffect(startShortcuts, []);
  useEffect(() => { document.title = `${NAMES[now]} · sd-worker`; }, [now]);
  const mode: Mode = modeOf(now) ?? "text";
  return (
    <div className="app" onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); void readParameters(e.dataTransfer.files[0], mode); }}>
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>To the content</a>
      <header className="top">
        <span className="brand">sd-worker</span>
        <nav aria-label="Pages">
          {PAGES.map((p) => (
            <a key={p} href={`#/${p}`} aria-current={p === now ? "page" : undefined}>{NAMES[p]}{p === "queue" ? <Open /> : null}</a>
          ))}
        </nav>
        <Status />
        <button type="button" className="icon" aria-label="Keyboard shortcuts" data-shortcut="help" onClick={() => setHelp(true)}>?</button>
      </header>
      <main id="main" tabIndex={-1}>
        {now === "gallery" ? <Gallery /> : now === "queue" ? <Queue /> : now === "settings" ? <Settings /> : <Make key={mode} mode={mode} />}
      </main>
      <Messages />
      <KeyDialog />
      {help ? <Help close={() => setHelp(false)} /> : null}
    </div>
  );
}

function Open() {
  const count = useStore(jobs, (all) => all.filter((j) => !isOver(j)).length);
  return count ? <span className="count"><span aria-hidden="true">{count}</span><span className="visually-hidden">, {count} unfinished</span></span> : null;
}

const STATES = { unreachable: "Not reachable", loading: "Loading the model", idle: "Ready", busy: "Drawing", error: "No model" };

function Status() {
  const { state: told, model } = useStore(worker);
  // The stream of jobs is fresher than what the worker was last asked.
  const drawing = useStore(jobs, (all) => all.some((j) => j.status === "running"));
  const state = told === "idle" || told === "busy" ? (drawing ? "busy" : "idle") : told;
  return <span className={`status ${state}`} role="status">{STATES[state]}{model ? <small title={model}>{model}</small> : null}</span>;
}

function Messages() {
  const all = useStore(toasts);
  return (
    <div className="toasts" aria-live="polite">
      {all.map((t) => (
        <div key={t.id} className={`toast ${t.kind}`} role={t.kind === "error" ? "alert" : undefined}>
          {t.text} <button type="button" className="icon" aria-label="Dismiss" onClick={() => dismiss(t.id)}>✕</button>
        </div>
      ))}
    </div>
  );
}

/** A picture dropped anywhere but on an input: its parameters go into the form. */
async function readParameters(file: File | undefined, mode: Mode): Promise<void> {
  if (!file) return;
  const fields = fieldsOfTexts(pngTexts(new Uint8Array(await file.arrayBuffer())));
  if (!fields) {
    tell("This file holds no parameters", "error");
    return;
  }
  fillForm(mode, fields);
  tell("Parameters read from the picture");
  if (page.get() !== mode) go(mode);
}
