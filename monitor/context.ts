import type { Log } from "../shared/log.ts";
import type { KnownRun } from "./known-run.ts";
import { NotFound } from "./page.ts";
import type { QueuesSeen, QueueSources } from "./queue-sources.ts";
import type { RunStore } from "./run-store.ts";

/** What every page and action works with. */
export interface MonitorContext {
  store: RunStore;
  queues: QueueSources;
  log: Log;
}

/** All lanes, as they were a moment ago. */
export function seeQueues({ queues, store }: MonitorContext): Promise<QueuesSeen> {
  return queues.see(store.all());
}

/** The run that a path names, also one that has just begun. @throws NotFound */
export async function runOf({ store }: MonitorContext, id: string | undefined): Promise<KnownRun> {
  const run = store.find(id ?? "") ?? (await store.lookFor(id ?? ""));
  if (!run) throw new NotFound(`There is no run ${id} in the folders that the monitor was given`);
  return run;
}
