// MaskEditor.tsx - what to paint anew, drawn over the picture with mouse, pen, finger or keys.
//
// Strokes are kept in picture pixels on a canvas of the picture's size; zoom and pan move the two layers on the screen and
// nothing else. The mask that is sent is white where something was drawn, black elsewhere.

import { useCallback, useEffect, useRef, useState } from "react";
import { blobOfCanvas, type Photo } from "../lib/bytes";
import { add, emptyMask, line, paintAll, redo, undo, type MaskState } from "../lib/strokes";
import { mask } from "../state/forms";
import { useObjectUrl } from "./ImageInput";

const SIZE_MIN = 5;
const SIZE_MAX = 50;
const KEY_STEP = 8;

interface View { zoom: number; x: number; y: number }
const home: View = { zoom: 1, x: 0, y: 0 };

/** A mask as a black and white PNG. */
async function maskPng(canvas: HTMLCanvasElement): Promise<Blob> {
  const out = document.createElement("canvas");
  out.width = canvas.width;
  out.height = canvas.height;
  const context = out.getContext("2d")!;
  context.drawImage(canvas, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, out.width, out.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, out.width, out.height);
  return blobOfCanvas(out);
}

export function MaskEditor({ photo, error }: { photo: Photo; error?: string | undefined }) {
  const url = useObjectUrl(photo.blob);
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const [strokes, setStrokes] = useState<MaskState>(emptyMask);
  const [tool, setTool] = useState<"brush" | "erase">("brush");
  const [size, setSize] = useState(20);
  const [view, setView] = useState<View>(home);
  const [only, setOnly] = useState(false);
  const [cursor, setCursor] = useState<[number, number] | null>(null);
  const drawing = useRef<{ points: [number, number][]; pointer: number } | null>(null);
  const touches = useRef(new Map<number, [number, number]>());

  // The brush is as large as its number on a 512-pixel picture, and in proportion on others.
  const brush = (size * Math.max(photo.width, photo.height)) / 512;

  useEffect(() => { setStrokes(emptyMask); setView(home); }, [photo]);
  useEffect(() => {
    const c = canvas.current;
    if (!c) return;
    paintAll(c.getContext("2d")!, strokes.done, c.width, c.height);
    mask.set(strokes.done.length === 0 ? null : maskPng(c));
  }, [strokes, photo]);
  useEffect(() => {
    if (layer.current) layer.current.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  }, [view]);

  const at = useCallback((e: { clientX: number; clientY: number }): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return [((e.clientX - box.left) / box.width) * photo.width, ((e.clientY - box.top) / box.height) * photo.height];
  }, [photo]);

  const extend = (points: [number, number][]) => {
    const d = drawing.current;
    const context = canvas.current?.getContext("2d");
    if (!d || !context) return;
    line(context, [d.points.at(-1) ?? points[0]!, ...points], brush, tool === "erase");
    d.points.push(...points);
  };
  const finish = () => {
    const d = drawing.current;
    drawing.current = null;
    if (d && d.points.length) setStrokes((s) => add(s, { kind: tool, size: brush, points: d.points }));
  };
  const zoomAt = (clientX: number, clientY: number, factor: number) => setView((v) => {
    const zoom = Math.min(8, Math.max(1, v.zoom * factor));
    if (zoom === 1) return home;
    const box = frame.current!.getBoundingClientRect();
    const [cx, cy] = [clientX - box.left, clientY - box.top];
    return { zoom, x: cx - ((cx - v.x) * zoom) / v.zoom, y: cy - ((cy - v.y) * zoom) / v.zoom };
  });

  const onDown = (e: React.PointerEvent) => {
    if (e.button > 0) return;
    if (e.pointerType === "touch") touches.current.set(e.pointerId, [e.clientX, e.clientY]);
    e.currentTarget.setPointerCapture(e.pointerId);
    if (touches.current.size > 1) { // a second finger: this is a pinch, not a stroke
      drawing.current = null;
      setStrokes((s) => ({ ...s }));
      return;
    }
    setCursor(null);
    drawing.current = { points: [], pointer: e.pointerId };
    extend([at(e)]);
  };
  const onMove = (e: React.PointerEvent) => {
    const before = touches.current.get(e.pointerId);
    if (before && touches.current.size === 2) {
      const other = [...touches.current].find(([id]) => id !== e.pointerId)![1];
      const now: [number, number] = [e.clientX, e.clientY];
      const distance = (p: [number, number]) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoomAt((now[0] + other[0]) / 2, (now[1] + other[1]) / 2, distance(now) / Math.max(1, distance(before)));
      setView((v) => (v.zoom === 1 ? v : { ...v, x: v.x + (now[0] - before[0]) / 2, y: v.y + (now[1] - before[1]) / 2 }));
      touches.current.set(e.pointerId, now);
      return;
    }
    if (drawing.current?.pointer !== e.pointerId) return;
    const all = e.nativeEvent.getCoalescedEvents?.() ?? [];
    extend((all.length ? all : [e.nativeEvent]).map(at));
  };
  const onUp = (e: React.PointerEvent) => {
    touches.current.delete(e.pointerId);
    if (drawing.current?.pointer === e.pointerId) finish();
  };
  // React listens to wheel passively; zooming must keep the page from scrolling.
  useEffect(() => {
    const f = frame.current;
    const onWheel = (e: WheelEvent) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      zoomAt(e.clientX, e.clientY, Math.exp(-e.deltaY / 300));
    };
    f?.addEventListener("wheel", onWheel, { passive: false });
    return () => f?.removeEventListener("wheel", onWheel);
  }, []);

  const onKey = (e: React.KeyboardEvent) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[e.key];
    const step = ((e.altKey ? 1 : KEY_STEP) * Math.max(photo.width, photo.height)) / 512;
    const here = cursor ?? [photo.width / 2, photo.height / 2];
    if (move) {
      const next: [number, number] = [
        Math.min(photo.width, Math.max(0, here[0] + move[0] * step)), Math.min(photo.height, Math.max(0, here[1] + move[1] * step)),
      ];
      if (e.shiftKey) setStrokes((s) => add(s, { kind: tool, size: brush, points: [here, next] }));
      setCursor(next);
    } else if (e.key === " ") setStrokes((s) => add(s, { kind: tool, size: brush, points: [here] }));
    else if (e.key === "z" && (e.ctrlKey || e.metaKey)) setStrokes(e.shiftKey ? redo : undo);
    else if (e.key === "y" && (e.ctrlKey || e.metaKey)) setStrokes(redo);
    else if (e.key === "[") setSize((n) => Math.max(SIZE_MIN, n - 5));
    else if (e.key === "]") setSize((n) => Math.min(SIZE_MAX, n + 5));
    else if (e.key === "b" || e.key === "e") setTool(e.key === "b" ? "brush" : "erase");
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  return (
    <div className="mask">
      <div className="row toolbar" role="toolbar" aria-label="Mask tools">
        <span className="group">
          <button type="button" aria-pressed={tool === "brush"} onClick={() => setTool("brush")}>Brush</button>
          <button type="button" aria-pressed={tool === "erase"} onClick={() => setTool("erase")}>Eraser</button>
        </span>
        <label className="inline">Size <input type="range" min={SIZE_MIN} max={SIZE_MAX} value={size} onChange={(e) => setSize(Number(e.target.value))} /> <output>{size}</output></label>
        <span className="group">
          <button type="button" disabled={!strokes.done.length} onClick={() => setStrokes(undo)}>Undo</button>
          <button type="button" disabled={!strokes.undone.length} onClick={() => setStrokes(redo)}>Redo</button>
        </span>
        <button type="button" disabled={!strokes.done.length} onClick={() => setStrokes((s) => add(s, { kind: "clear" }))}>Clear</button>
        <button type="button" onClick={() => setStrokes((s) => add(s, { kind: "invert" }))}>Invert</button>
        <button type="button" aria-pressed={only} onClick={() => setOnly(!only)}>Show mask</button>
        <span className="group">
          <button type="button" aria-label="Zoom out" disabled={view.zoom <= 1} onClick={() => centreZoom(1 / 1.5)}>−</button>
          <button type="button" aria-label={`${Math.round(view.zoom * 100)} %, back to the full view`} disabled={view.zoom <= 1} onClick={() => setView(home)}>{Math.round(view.zoom * 100)} %</button>
          <button type="button" aria-label="Zoom in" disabled={view.zoom >= 8} onClick={() => centreZoom(1.5)}>+</button>
        </span>
      </div>
      <div ref={frame} style={{ maxWidth: `calc((100dvh - 250px) * ${photo.width / photo.height})` }} className={"board" + (only ? " only" : "") + (error ? " wrong" : "")}>
        <div ref={layer} className="layers">
          {url ? <img src={url} alt="" draggable={false} /> : null}
          <canvas ref={canvas} width={photo.width} height={photo.height} tabIndex={0} role="application"
            aria-label={`Mask on a picture of ${photo.width} by ${photo.height}. Arrow keys move the brush, with Shift they draw, Space sets a dot.`}
            onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerCancel={onUp} onKeyDown={onKey} onBlur={() => setCursor(null)} />
          {cursor ? <Cursor at={cursor} size={brush} photo={photo} /> : null}
        </div>
      </div>
      <p className="hint">Paint over what is to be drawn anew. Ctrl and the wheel, or two fingers, zoom.</p>
      {error ? <p className="problem">{error}</p> : null}
    </div>
  );

  function centreZoom(factor: number): void {
    const box = frame.current!.getBoundingClientRect();
    zoomAt(box.left + box.width / 2, box.top + box.height / 2, factor);
  }
}

function Cursor({ at, size, photo }: { at: [number, number]; size: number; photo: Photo }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const s = ref.current!.style;
    s.left = `${(100 * at[0]) / photo.width}%`;
    s.top = `${(100 * at[1]) / photo.height}%`;
    s.width = `${(100 * size) / photo.width}%`;
  });
  return <div ref={ref} className="brush-cursor" aria-hidden="true" />;
}
