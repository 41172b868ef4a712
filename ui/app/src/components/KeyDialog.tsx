import { useState } from "react";
import { useStore } from "../lib/store";
import { apiKey, keyWanted } from "../state/client";
import { refreshJobs } from "../state/jobs";
import { refreshWorker } from "../state/worker";
import { Dialog } from "./Dialog";

/** Asks for the worker's key, once per tab. */
export function KeyDialog() {
  const wanted = useStore(keyWanted);
  const [value, setValue] = useState("");
  if (wanted === "no") return null;
  const take = async () => {
    apiKey.set(value.trim());
    setValue("");
    keyWanted.set("no");
    await refreshWorker();
    await refreshJobs().catch(() => undefined);
  };
  return (
    <Dialog title="API key" close={() => keyWanted.set("no")}>
      <form onSubmit={(e) => { e.preventDefault(); void take(); }}>
        <p>{wanted === "wrong" ? "The worker refused this key." : "This worker wants a key."} It is kept until this tab closes, and sent to this worker alone.</p>
        <div className="row">
          <input type="password" aria-label="API key" autoComplete="off" value={value} onChange={(e) => setValue(e.target.value)} />
          <button type="submit" className="primary" disabled={!value.trim()}>Use it</button>
        </div>
      </form>
    </Dialog>
  );
}
