import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most tests wait for other processes: one file more than there are cores keeps the cores busy.
    maxWorkers: availableParallelism() + 1,
    // Each end-to-end test runs several commands: of too many at once all take as long as a test may take.
    maxConcurrency: 3,
  },
});
