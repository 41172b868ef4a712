// harness.ts - the real service for tests of the client: sdw-fake is `sdw serve` over an executor without weights, whose
// prompts say how long steps take (tests/fake/fake.h). Between the two the proxy of the tests in a browser.

import { spawn } from "node:child_process";
import { once } from "node:events";

export { startProxy } from "../../../../e2e/proxy.mjs";

export interface Server { url: string; pid: number; stop: (signal?: NodeJS.Signals) => Promise<number | null>; release: () => void }

/** Starts the program on a free port (or that one) and waits until it is ready. */
export async function startServer(args: string[] = [], env: Record<string, string> = {}): Promise<Server> {
  const program = process.env["SDW_FAKE"];
  if (!program) throw new Error("SDW_FAKE must name the program");
  const child = spawn(program, ["--port", "0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (piece: Buffer) => {
      log += piece.toString();
      const found = /listening on (http:\/\/[\w.:]+)/.exec(log);
      if (found?.[1]) resolve(found[1]);
    });
    child.once("exit", (code) => reject(new Error(`the worker ended with ${code}:\n${log}`)));
  });
  for (let tries = 0; !(await fetch(`${url}/ready`)).ok; tries++) {
    if (tries > 2000) throw new Error(`the worker is not ready:\n${log}`);
    await new Promise((r) => setTimeout(r, 25));
  }
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(signal);
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  };
  return { url, pid: child.pid!, stop, release: () => void child.kill("SIGUSR1") };
}

export interface Proxy { url: string; cut: () => void; refuse: (yes: boolean) => void; aim: (url: string) => void; stop: () => void }
