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
      // What runs only in the browser, where its own tests drive it.
      exclude: ["client/board/{ui,ops,feed,agents,store}/**", "client/board/main.tsx"],
      reporter: ["text-summary", "json-summary"],
    },
  },
});
