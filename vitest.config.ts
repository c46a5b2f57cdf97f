import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { target: "es2022" }, // Node 20 has no `using` syntax: lower it
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: "forks",
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts", "client/**/*.{ts,tsx}"],
      reporter: ["text-summary", "json-summary"],
    },
  },
});
