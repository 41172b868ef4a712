// Settings.tsx - models, the machine, what it does, and how this page looks.

import { useEffect, useState } from "react";
import { bytes, seconds } from "../lib/format";
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
  useEffect(() => { refreshModels().catch(() => undefined); }, [state]);
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
              {m.status === "loaded" || m.status === "loading"
                ? <button type="button" onClick={() => void run(client.unloadModel(m.id), "The model is unloaded after the running jobs")}>Unload</button>
                : <button type="button" onClick={() => void run(client.loadModel(m.id), "The model loads after the running jobs")}>Load</button>}
              {capabilities?.model_delete && m.status === "unloaded"
                ? <button type="button" className="danger" onClick={() => { if (window.confirm(`Delete ${m.id} from the disk?`)) void run(client.deleteModel(m.id), "Deleted"); }}>Delete</button> : null}
            </div>
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

function Machine() {
  const { health, capabilities } = useStore(worker);
  const numbers = useStore(metrics);
  useEffect(() => {
    void readMetrics();
    const timer = setInterval(() => { if (!document.hidden) void readMetrics(); }, 5000);
    return () => clearInterval(timer);
  }, []);
  const rows: [string, string | undefined][] = [
    ["Worker", health ? `${health.worker_id ?? "sd-worker"} ${health.version ?? ""}` : undefined],
    ["Device", capabilities?.devices.map((d) => d.name || d.id).join(", ") || health?.device],
    ["Model", health?.model_version],
    ["Running for", health?.uptime_seconds !== undefined ? seconds(health.uptime_seconds) : undefined],
    ["Memory of the process", numbers?.memory ? bytes(numbers.memory) : undefined],
    ["Memory of the model", numbers?.model ? bytes(numbers.model) : undefined],
    ["Seconds per step", numbers?.secondsPerStep !== undefined ? numbers.secondsPerStep.toFixed(2) : undefined],
    ["Steps, pictures so far", numbers ? `${numbers.steps}, ${numbers.images}` : undefined],
    ["Queue", numbers ? `${numbers.queued} waiting, ${numbers.running} running` : undefined],
  ];
  return (
    <section aria-labelledby="machine">
      <h2 id="machine">Worker</h2>
      <dl className="table">{rows.filter(([, v]) => v).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
      <details>
        <summary>Samplers and schedules</summary>
        <p>{capabilities?.samplers.join(", ")}</p>
        <p>{capabilities?.schedules.join(", ")}</p>
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
