// ImageInput.tsx - a picture by drop, paste or file dialog; larger ones are scaled before they are sent.

import { useEffect, useRef, useState } from "react";
import { photoOf, type Photo } from "../lib/bytes";
import { tell, tellError } from "../state/toasts";

export function useObjectUrl(blob: Blob | null | undefined): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!blob) {
      setUrl(null);
      return;
    }
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

export function ImageInput({ photo, onPhoto, error, label = "Picture" }: { photo: Photo | null; onPhoto: (p: Photo | null) => void; error?: string | undefined; label?: string }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const url = useObjectUrl(photo?.blob);
  const take = async (file: Blob | undefined | null) => {
    if (!file) return;
    try {
      const p = await photoOf(file);
      if (p.scaledFrom) tell(`Scaled from ${p.scaledFrom[0]}×${p.scaledFrom[1]} to ${p.width}×${p.height}`);
      onPhoto(p);
    } catch (e) {
      tellError(e);
    }
  };
  useEffect(() => {
    const onPaste = (e: ClipboardEvent) => {
      const file = [...(e.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
      if (!file) return;
      e.preventDefault();
      void take(file);
    };
    window.addEventListener("paste", onPaste);
    return () => window.removeEventListener("paste", onPaste);
  });
  return (
    <div className="field">
      <span className="label" id="picture-label">{label}</span>
      <div className={"drop" + (over ? " over" : "") + (error ? " wrong" : "")}
        onDragOver={(e) => { e.preventDefault(); e.stopPropagation(); setOver(true); }} onDragLeave={() => setOver(false)}
        onDrop={(e) => { e.preventDefault(); e.stopPropagation(); setOver(false); void take(e.dataTransfer.files[0]); }}>
        {url ? <img src={url} alt="Input" /> : null}
        <div>
          <button type="button" onClick={() => input.current?.click()}>{photo ? "Another picture" : "Choose a picture"}</button>
          {photo ? <button type="button" className="quiet" onClick={() => onPhoto(null)}>Remove</button> : null}
          <p className="hint">{photo ? `${photo.width}×${photo.height}` : "or drop it here, or paste it"}</p>
        </div>
        <input ref={input} type="file" accept="image/png,image/jpeg,image/webp" aria-label={`${label} file`} className="visually-hidden" tabIndex={-1}
          onChange={(e) => { void take(e.target.files?.[0]); e.target.value = ""; }} />
      </div>
      {error ? <p className="problem">{error}</p> : null}
    </div>
  );
}
