import { defineConfig } from "vitest/config"

const here = (path: string): string => new URL(path, import.meta.url).pathname

export default defineConfig({
  resolve: {
    alias: [
      { find: /^breve$/, replacement: here("../src/index.ts") },
      { find: /^breve\/wasm$/, replacement: here("../src/backend/Wasm.ts") },
      { find: /^breve\/laws$/, replacement: here("../laws/index.ts") }
    ]
  },
  root: here(".."),
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/Seed.ts"],
    pool: "forks",
    testTimeout: 60_000
  }
})
