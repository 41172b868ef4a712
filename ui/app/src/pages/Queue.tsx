// Queue.tsx - every job of the worker, whoever asked for it.

import type { JobState } from "@sd-worker/sdk";
import { when } from "../lib/format";
import { useStore } from "../lib/store";
import { cancel, focusOn, isOver, jobs, live, ownJobs } from "../state/jobs";
import { go } from "../state/route";
import { tellError } from "../state/toasts";

const KINDS: Record<string, string> = { image_generation: "Text to image", image_transform: "Image to image", image_inpaint: "Inpainting" };
const ORDER = { running: 0, queued: 1, completed: 2, failed: 2, cancelled: 2 };

export function Queue() {
  const all = useStore(jobs);
  const connected = useStore(live);
  const sorted = [...all].sort((a, b) => ORDER[a.status] - ORDER[b.status] || (a.status === "queued" ? (a.queue_position ?? 0) - (b.queue_position ?? 0) : 0));
  const open = sorted.filter((j) => !isOver(j));
  return (
    <section className="page">
      <h1>Queue</h1>
      <div className="row">
        <span className="muted" role="status">{open.length ? `${open.length} unfinished` : "Nothing is waiting"}{connected ? "" : " · connecting"}</span>
        <span className="push" />
        {open.length > 1 ? <button type="button" className="danger" onClick={() => void Promise.all(open.map((j) => cancel(j.job_id).catch(tellError)))}>Cancel all</button> : null}
      </div>
      {sorted.length ? null : <p className="stage empty muted">Jobs appear here, whoever asks for them: this page, another one, or a program.</p>}
      <ul className="jobs">{sorted.map((j) => <Job key={j.job_id} job={j} />)}</ul>
    </section>
  );
}

function Job({ job }: { job: JobState }) {
  const own = useStore(ownJobs).find((o) => o.id === job.job_id);
  const prompt = own?.request.prompt ?? (job.params?.["prompt"] as string | undefined);
  const show = () => {
    focusOn(job.job_id, true);
    go(own?.page ?? "text");
  };
  return (
    <li className={`job ${job.status}`}>
      <div className="job-line">
        <span className={`tag ${job.status}`}>{job.status}{job.status === "queued" && job.queue_position ? ` · place ${job.queue_position}` : ""}</span>
        <div className="job-what">
          <strong className="prompt-line">{prompt || KINDS[job.kind] || job.kind}</strong>
          <span className="muted">{[prompt ? KINDS[job.kind] : `by ${job.face}`, when(job.created_at), job.status === "running" && job.total ? `step ${job.step} of ${job.total}` : ""].filter(Boolean).join(" · ")}</span>
        </div>
        <div className="row">
          <button type="button" onClick={show}>Show</button>
          {isOver(job) ? null : <button type="button" onClick={() => cancel(job.job_id).catch(tellError)} aria-label={`Cancel: ${prompt ?? job.job_id}`}>Cancel</button>}
        </div>
      </div>
      {job.status === "running" ? <progress max={job.total || 1} value={job.step} aria-label={`Step ${job.step} of ${job.total}`} /> : null}
      {job.error ? <p className="problem">{job.error.message}</p> : null}
    </li>
  );
}
