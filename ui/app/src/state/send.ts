// send.ts - a finished picture becomes the input of another page.

import type { JobRequest } from "@sd-worker/sdk";
import { photoOf } from "../lib/bytes";
import { fillForm, mask, photos } from "./forms";
import { go } from "./route";

export async function sendTo(to: "image" | "inpaint", picture: Blob, request?: JobRequest): Promise<void> {
  photos[to].set(await photoOf(picture));
  if (to === "inpaint") mask.set(null);
  if (request) {
    const { width: _w, height: _h, ...rest } = request;
    fillForm(to, rest, false);
  }
  go(to);
}
