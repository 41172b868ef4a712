// gallery.ts - pictures that this browser keeps (IndexedDB) and those that the worker still has, as one list.
//
// Both are optional: an iframe or a private window may have no storage, a worker may have forgotten. What cannot be kept is
// told once and costs nothing else. A list for other programs of this origin lies in localStorage "generated_images".

import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { JobRequest, JobState } from "@sd-worker/sdk";
import { thumbnailOf } from "../lib/bytes";
import { wireFields } from "../lib/infotext";
import { load, save } from "../lib/saved";
import { createStore } from "../lib/store";
import { client } from "./client";
import { tell } from "./toasts";

export interface Kept {
  id: string;
  jobId: string;
  index: number;
  blob: Blob;
  thumbnail: string;
  format: string;
  seed: string;
  params: JobRequest;
  timestamp: number;
  favourite: boolean;
}

/** One picture of the list, wherever it lies. */
export interface Picture {
  id: string;
  jobId: string;
  seed: string;
  prompt: string;
  params: JobRequest;
  format: string;
  timestamp: number;
  favourite: boolean;
  thumbnail: string;
  /** Of the worker, if it still has it. */
  outputId?: string;
  kept: boolean;
}

interface Schema extends DBSchema { pictures: { key: string; value: Kept } }

const LIST = "generated_images";
const LIST_MAX = 50;

export const kept = createStore<Omit<Kept, "blob">[]>([]);
/** Why this browser keeps nothing, if so. */
export const storageProblem = createStore<string | null>(null);

let database: Promise<IDBPDatabase<Schema> | null> | null = null;

function open(): Promise<IDBPDatabase<Schema> | null> {
  database ??= (async () => {
    try {
      return await openDB<Schema>("sd-worker", 1, { upgrade: (db) => void db.createObjectStore("pictures", { keyPath: "id" }) });
    } catch {
      storageProblem.set("This browser keeps no pictures here (no storage for this page); those of the worker are shown.");
      return null;
    }
  })();
  return database;
}

const withoutBlob = ({ blob: _blob, ...rest }: Kept) => rest;

export async function loadKept(): Promise<void> {
  const db = await open();
  if (!db) return;
  const all = await db.getAll("pictures");
  kept.set(all.map(withoutBlob).sort((a, b) => b.timestamp - a.timestamp));
}

/** Keeps the finished pictures of a job. Full or absent storage is told, not fatal. */
export async function keep(jobId: string, params: JobRequest, pictures: { blob: Blob; format: string; seed: number | bigint }[]): Promise<void> {
  for (const [index, p] of pictures.entries()) {
    const entry: Kept = {
      id: `${jobId}-${index}`, jobId, index, blob: p.blob, thumbnail: await thumbnailOf(p.blob).catch(() => ""), format: p.format, seed: String(p.seed), params,
      timestamp: Date.now(), favourite: false,
    };
    const db = await open();
    if (!db) continue;
    try {
      await db.put("pictures", entry);
      kept.set((all) => [withoutBlob(entry), ...all.filter((k) => k.id !== entry.id)]);
    } catch (error) {
      const full = error instanceof DOMException && error.name === "QuotaExceededError";
      storageProblem.set(full ? "This browser's storage is full: new pictures are not kept here. Delete some, or download them." : "This picture could not be kept in this browser.");
      tell(storageProblem.get()!, "error");
    }
  }
  saveList();
}

function saveList(): void {
  const list = kept.get().slice(0, LIST_MAX).map((k) => ({
    id: k.id, image: k.thumbnail, prompt: k.params.prompt, timestamp: k.timestamp, params: { ...k.params, seed: k.seed },
  }));
  if (!save(LIST, list)) save(LIST, load<unknown[]>(LIST, []).slice(0, 5));
}

export async function blobOf(picture: Picture): Promise<Blob> {
  const db = await open();
  const own = await db?.get("pictures", picture.id);
  if (own) return own.blob;
  if (!picture.outputId) throw new Error("This picture is gone: neither the worker nor this browser has it");
  const answer = await client.request(`/v1/outputs/${picture.outputId}`);
  if (!answer.ok) throw new Error("The worker has this picture no more");
  return answer.blob();
}

export async function remove(pictures: Picture[]): Promise<void> {
  const db = await open();
  for (const p of pictures) {
    await db?.delete("pictures", p.id);
    if (p.outputId) await client.deleteOutput(p.outputId).catch(() => undefined);
  }
  const ids = new Set(pictures.map((p) => p.id));
  kept.set((all) => all.filter((k) => !ids.has(k.id)));
  saveList();
}

export async function favour(picture: Picture, favourite: boolean): Promise<void> {
  const db = await open();
  const own = await db?.get("pictures", picture.id);
  if (own) await db?.put("pictures", { ...own, favourite });
  kept.set((all) => all.map((k) => (k.id === picture.id ? { ...k, favourite } : k)));
}

/** One list, newest first, from what the worker tells and what this browser kept. */
export function combined(own: Omit<Kept, "blob">[], server: JobState[]): Picture[] {
  const list = new Map<string, Picture>();
  for (const job of server) {
    (job.outputs ?? []).forEach((o, index) => {
      const params = { ...wireFields(job.params ?? {}), seed: String(o.seed), width: o.width, height: o.height } as unknown as JobRequest;
      list.set(`${job.job_id}-${index}`, {
        id: `${job.job_id}-${index}`, jobId: job.job_id, seed: String(o.seed), prompt: params.prompt ?? "", params, format: o.format,
        timestamp: Date.parse(job.finished_at ?? "") || 0, favourite: false, thumbnail: client.outputUrl(o.id, 256), outputId: o.id, kept: false,
      });
    });
  }
  for (const k of own) {
    const known = list.get(k.id);
    list.set(k.id, {
      id: k.id, jobId: k.jobId, seed: k.seed, prompt: k.params.prompt ?? known?.prompt ?? "", params: { ...known?.params, ...k.params }, format: k.format,
      timestamp: known?.timestamp || k.timestamp, favourite: k.favourite, thumbnail: known?.thumbnail ?? k.thumbnail,
      ...(known?.outputId ? { outputId: known.outputId } : {}), kept: true,
    });
  }
  return [...list.values()].sort((a, b) => b.timestamp - a.timestamp);
}
