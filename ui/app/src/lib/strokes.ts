// strokes.ts - a mask as the list of what was done to it: undo is dropping the last stroke, redo is taking it back.

export type Stroke =
  | { kind: "brush" | "erase"; size: number; points: [number, number][] }
  | { kind: "clear" | "invert" | "fill" };

export interface MaskState { done: Stroke[]; undone: Stroke[] }
export const emptyMask: MaskState = { done: [], undone: [] };

export const add = (s: MaskState, stroke: Stroke): MaskState => ({ done: [...s.done, stroke], undone: [] });
export const undo = (s: MaskState): MaskState => (s.done.length ? { done: s.done.slice(0, -1), undone: [s.done.at(-1)!, ...s.undone] } : s);
export const redo = (s: MaskState): MaskState => (s.undone.length ? { done: [...s.done, s.undone[0]!], undone: s.undone.slice(1) } : s);

type Context = CanvasRenderingContext2D;

/** What the mask looks like on the screen; only its opacity counts. */
const MASK_COLOUR = "#8b5cf6";

/** Paints one stroke in picture pixels: opaque where the picture is painted anew. */
export function paint(context: Context, stroke: Stroke, width: number, height: number): void {
  context.globalCompositeOperation = "source-over";
  context.fillStyle = context.strokeStyle = MASK_COLOUR;
  if (stroke.kind === "clear") context.clearRect(0, 0, width, height);
  else if (stroke.kind === "fill") context.fillRect(0, 0, width, height);
  else if (stroke.kind === "invert") {
    context.globalCompositeOperation = "xor";
    context.fillRect(0, 0, width, height);
  } else if (stroke.kind === "brush" || stroke.kind === "erase") line(context, stroke.points, stroke.size, stroke.kind === "erase");
  context.globalCompositeOperation = "source-over";
}

/** A round brush along points; a single point is a dot. */
export function line(context: Context, points: [number, number][], size: number, erase: boolean): void {
  const [first, ...rest] = points;
  if (!first) return;
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = MASK_COLOUR;
  context.lineWidth = size;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(first[0], first[1]);
  if (rest.length === 0) context.lineTo(first[0] + 0.01, first[1]);
  for (const [x, y] of rest) context.lineTo(x, y);
  context.stroke();
  context.globalCompositeOperation = "source-over";
}

export function paintAll(context: Context, strokes: Stroke[], width: number, height: number): void {
  context.clearRect(0, 0, width, height);
  for (const s of strokes) paint(context, s, width, height);
}
