// proxy.mjs - a TCP proxy that tests can disturb: cut() loses every connection at once, refuse(true) takes no new ones, aim() leads
// new ones elsewhere.

import { once } from "node:events";
import net from "node:net";

export async function startProxy(target) {
  const sockets = new Set();
  let refusing = false;
  let to = new URL(target);
  const server = net.createServer((client) => {
    if (refusing) return void client.destroy();
    const upstream = net.connect(Number(to.port), to.hostname);
    for (const [a, b] of [[client, upstream], [upstream, client]]) {
      sockets.add(a);
      a.pipe(b);
      a.on("error", () => b.destroy());
      a.on("close", () => { sockets.delete(a); b.destroy(); });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => sockets.forEach((s) => s.destroy()),
    refuse: (yes) => { refusing = yes; },
    aim: (url) => { to = new URL(url); },
    open: () => sockets.size / 2,
    stop: () => { sockets.forEach((s) => s.destroy()); server.close(); },
  };
}
