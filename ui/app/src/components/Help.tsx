import { SHORTCUTS } from "../state/shortcuts";
import { Dialog } from "./Dialog";

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl className="keys">{SHORTCUTS.map((s) => <div key={s.help}><dt>{s.shown.map((k) => <kbd key={k}>{k}</kbd>)}</dt><dd>{s.help}</dd></div>)}</dl>
    </Dialog>
  );
}
