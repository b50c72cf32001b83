import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Half of the young generation: what is allocated between two of its collections. */
const mostBytes = 16 * 1024 * 1024;

/**
 * Keeps this process' heap as small as its work needs: the young generation stops growing at 2 x 16 MB (Node 24 lets it grow to
 * 2 x 64), and the old one is collected when it has doubled (V8 waits for up to four times). For the command line alone:
 * it is true of the whole process. See `docs/decisions/2026-11-28-memory-of-long-runs.md`.
 */
export function boundHeap(): void {
  setFlagsFromString("--heap-growing-percent=100");
  // The young generation grows after some of its collections, and never by itself.
  const collections = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    if (young && young.space_size < 2 * mostBytes) return;
    collections.disconnect();
    // Its limit is read when V8 starts, which is over: this factor is read each time before it grows.
    setFlagsFromString("--semi-space-growth-factor=1");
  });
  collections.observe({ entryTypes: ["gc"] });
}
