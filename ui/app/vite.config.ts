import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Relative addresses: the page works behind a proxy with a path prefix. No inline scripts or styles: the worker's policy
// refuses them. During development the API is the worker on its usual port.
const worker = process.env.SDW_SERVER ?? "http://127.0.0.1:8081";
const paths = ["/v1", "/health", "/ready", "/info", "/openapi.json", "/metrics"];

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { outDir: "../../build/ui/dist", emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022" },
  server: { port: 5174, proxy: Object.fromEntries(paths.map((p) => [p, { target: worker, changeOrigin: true }])) },
});
