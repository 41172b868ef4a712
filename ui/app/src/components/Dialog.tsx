// Dialog.tsx - the browser's own dialog: it keeps the focus inside and closes with Escape.

import { useEffect, useRef, type ReactNode } from "react";

export function Dialog({ title, close, children, wide }: { title: string; close: () => void; children: ReactNode; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={ref} className={wide ? "wide" : ""} aria-label={title} onClose={close} onClick={(e) => { if (e.target === ref.current) close(); }}>
      <header className="row">
        <h2>{title}</h2>
        <button type="button" className="icon" aria-label="Close" onClick={close}>✕</button>
      </header>
      {children}
    </dialog>
  );
}
