import { defineConfig } from "vitest/config"

const source = "@switchyard/source"

export default defineConfig({
  resolve: { conditions: [source] },
  ssr: { resolve: { conditions: [source], externalConditions: [source] } },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"] }
      },
      // What drives programs that most machines lack, and that take their time: Prometheus, promtool, a browser, PostgreSQL, Redis.
      { extends: true, test: { name: "programs", include: ["packages/*/test/**/*.programs.ts"] } }
    ],
    environment: "node",
    pool: "threads",
    // Files share their modules: loading Effect anew for each of them took a third of the time.
    isolate: false,
    // One more than the cores of a small machine: tests over sockets and processes wait most of their time.
    maxWorkers: 3,
    // No test needs a tenth of it on a machine with nothing else to do; what never ends is told all the same.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    passWithNoTests: false
  }
})
