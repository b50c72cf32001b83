import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import { z } from "zod";

const file = join(process.env["CHAOS_ALIVE"]!, `${process.pid}`);
const Full = z.object({
  detail: z.object({ kind: z.literal(constants.NODE_PERFORMANCE_GC_MAJOR) }),
});

/** Loaded into a process: after each full collection it writes how many bytes are alive in its old generation. */
new PerformanceObserver((list) => {
  if (!list.getEntries().some((collection) => Full.safeParse(collection).success)) return;
  const old = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith("new_"));
  writeFileSync(file, `${old.reduce((sum, space) => sum + space.space_used_size, 0)}`);
}).observe({ entryTypes: ["gc"] });
