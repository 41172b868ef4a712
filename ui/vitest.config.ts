import { defineConfig } from "vitest/config";

// The limits only end a test that hangs: how soon the service answers is the machine's affair.
export default defineConfig({ test: { include: ["packages/*/test/**/*.test.{ts,tsx}", "app/test/**/*.test.{ts,tsx}"], testTimeout: 60_000, hookTimeout: 60_000 } });
