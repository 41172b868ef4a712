// turn.ts - one window at a time. A browser opens six connections to a host over all its windows, and a window that is only
// beside another counts as visible: so the windows of a browser take turns at the streams that only one of them needs.

/** Runs `work` while this window has the turn, until it is done or the signal aborts. Another window may take the turn
 *  away (`take`): then work's own signal aborts, and it runs anew at the next turn. Without locks (pages that are neither
 *  https nor loopback, frames in another site's page) it simply runs. */
export async function inTurn(name: string, take: boolean, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  let locks = (navigator as Partial<Navigator>).locks;
  for (let steal = take; !signal.aborted; steal = false) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    try {
      if (!locks) return await work(attempt.signal);
      return await locks.request(`sd-worker ${name}`, steal ? { steal } : { signal }, () => work(attempt.signal));
    } catch (error) {
      // Taken away, no longer wanted, or locks are denied. What work itself throws is the caller's.
      const name = error instanceof DOMException ? error.name : "";
      if (name === "SecurityError") locks = undefined;
      else if (name !== "AbortError") throw error;
    } finally {
      attempt.abort();
      signal.removeEventListener("abort", stop);
    }
  }
}
