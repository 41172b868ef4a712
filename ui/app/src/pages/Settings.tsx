// Settings.tsx - models, the machine, what it does, and how this page looks.

import { useEffect, useState } from "react";
import type { Device } from "@sd-worker/sdk";
import { bytes, label, seconds } from "../lib/format";
import { useStore } from "../lib/store";
import { apiKey, client } from "../state/client";
import { theme, type Theme } from "../state/theme";
import { tell, tellError } from "../state/toasts";
import { refreshModels, refreshWorker, worker } from "../state/worker";
import { loadProgress, watchLoading } from "../state/loading";
import { metrics, readMetrics } from "../state/metrics";

export function Settings() {
  return (
    <section className="page settings">
      <h1>Settings</h1>
      <Models />
      <Machine />
      <Look />
    </section>
  );
}

function Models() {
  const { models, capabilities, state } = useStore(worker);
  const progress = useStore(loadProgress);
  const [name, setName] = useState("");
  // Loads and unloads wait for running jobs, and other programs change models too: looked at again while this page is open.
  useEffect(() => {
    const look = () => { if (!document.hidden) refreshModels().catch(() => undefined); };
    look();
    const timer = setInterval(look, 3000);
    return () => clearInterval(timer);
  }, [state]);
  const run = async (work: Promise<unknown>, done: string) => {
    try {
      await work;
      tell(done);
      void watchLoading();
      await Promise.all([refreshModels(), refreshWorker()]);
    } catch (error) {
      tellError(error);
    }
  };
  return (
    <section aria-labelledby="models">
      <h2 id="models">Models</h2>
      {progress ? <div className="box" role="status">{progress.text}{progress.share !== undefined ? <progress max={1} value={progress.share} aria-label="Loading" /> : null}</div> : null}
      <ul className="jobs">
        {models.map((m) => (
          <li key={m.id} className="job">
            <div className="row">
              <span className={`tag ${m.status ?? ""}`}>{m.status ?? "loaded"}</span>
              <strong className="prompt-line">{m.id}</strong>
              <span className="muted">{[m.family, m.dtype, m.size_bytes ? bytes(m.size_bytes) : ""].filter(Boolean).join(" · ")}</span>
              <span className="push" />
              {m.status === "loaded" || m.status === "loading" ? <button type="button" onClick={() => void run(client.unloadModel(m.id), "The model is unloaded after the running jobs")}>Unload</button> : null}
              {m.status === "unloaded" ? <button type="button" onClick={() => void run(client.loadModel(m.id), "The model loads after the running jobs")}>Load</button> : null}
              {(m.status === "incomplete" || m.status === "failed") && capabilities?.model_pull
                ? <button type="button" onClick={() => void run(client.pullModel(m.id), "The download goes on")}>{m.status === "failed" ? "Try again" : "Download the rest"}</button> : null}
              {capabilities?.model_delete && (m.status === "unloaded" || m.status === "incomplete")
                ? <button type="button" className="danger" onClick={() => { if (window.confirm(`Delete ${m.id} from the disk?`)) void run(client.deleteModel(m.id), "Deleted"); }}>Delete</button> : null}
            </div>
            {m.message ? <p className="problem" role="status">{m.message}</p> : null}
          </li>
        ))}
      </ul>
      {capabilities?.model_pull ? (
        <form className="row" onSubmit={(e) => { e.preventDefault(); if (name.trim()) void run(client.pullModel(name.trim()), "The download has begun"); }}>
          <input type="text" aria-label="Model to download" placeholder="organisation/name or an alias such as v1-5" value={name} onChange={(e) => setName(e.target.value)} />
          <button type="submit">Download</button>
        </form>
      ) : null}
    </section>
  );
}

// What the worker tells of itself and no row above is made for: shown as it is, so that a new fact needs no new page.
const HEALTH_SPOKEN_FOR = ["status", "timestamp", "worker_id", "model_version", "device", "uptime_seconds", "vram_bytes", "version"];
const CAPABILITIES_SPOKEN_FOR = [
  "model_type", "img2img", "inpainting", "needs_mask", "lora", "controlnet", "default_steps", "default_guidance", "supports_guidance", "model_pull", "model_delete", "shutdown",
];
const FACT_NAMES: Record<string, string> = { vram_gb: "Memory of the device, GB", variant: "Kind of model", device_type: "Kind of device" };

function factRows(facts: object | null | undefined, spokenFor: string[]): [string, string][] {
  return Object.entries(facts ?? {}).filter(([k, v]) => !spokenFor.includes(k) && v !== null && v !== "" && typeof v !== "object").map(([k, v]) => [FACT_NAMES[k] ?? label(k), String(v)]);
}

function deviceRows(device: Device, several: boolean): [string, string][] {
  const mark = several ? `${device.id}: ` : "";
  return [[`${mark}Device`, device.name || device.id], ...factRows(device, ["id", "name"]).map(([k, v]): [string, string] => [mark + k, v])];
}

function Machine() {
  const { health, capabilities, model } = useStore(worker);
  const numbers = useStore(metrics);
  useEffect(() => {
    void readMetrics();
    const timer = setInterval(() => { if (!document.hidden) void readMetrics(); }, 5000);
    return () => clearInterval(timer);
  }, []);
  const rows: [string, string | undefined][] = [
    ["Worker", health ? `${health.worker_id} ${health.version}` : undefined],
    ["Model", model],
    ["Running for", health ? seconds(health.uptime_seconds) : undefined],
    ...(capabilities?.devices ?? []).flatMap((d) => deviceRows(d, capabilities!.devices.length > 1)),
    ...factRows(health, HEALTH_SPOKEN_FOR),
    ...factRows(capabilities, CAPABILITIES_SPOKEN_FOR),
    ["Memory of the process", numbers?.memory ? bytes(numbers.memory) : undefined],
    ["Memory of the model", numbers?.model ? bytes(numbers.model) : undefined],
    ["Throughput", numbers?.secondsPerStep ? `${numbers.secondsPerStep.toFixed(2)} s per step, ${(1 / numbers.secondsPerStep).toFixed(2)} steps per second` : undefined],
    ["So far", numbers ? `${numbers.images} pictures, ${numbers.steps} steps` : undefined],
    ["Queue", numbers ? `${numbers.queued} waiting, ${numbers.running} running` : undefined],
  ];
  return (
    <section aria-labelledby="machine">
      <h2 id="machine">Worker</h2>
      <dl className="table">{rows.filter(([, v]) => v).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
      <details>
        <summary>Samplers and schedules</summary>
        <p><strong>Samplers</strong> {capabilities?.samplers.join(", ")}</p>
        <p><strong>Schedules</strong> {capabilities?.schedules.join(", ")}</p>
      </details>
    </section>
  );
}

function Look() {
  const now = useStore(theme);
  const key = useStore(apiKey);
  return (
    <section aria-labelledby="look">
      <h2 id="look">This page</h2>
      <fieldset className="chips">
        <legend>Theme</legend>
        {(["auto", "light", "dark"] as Theme[]).map((t) => <button key={t} type="button" aria-pressed={t === now} onClick={() => theme.set(t)}>{t}</button>)}
      </fieldset>
      {key ? <p className="row">An API key is held until this tab closes. <button type="button" onClick={() => apiKey.set("")}>Forget it</button></p> : null}
    </section>
  );
}
