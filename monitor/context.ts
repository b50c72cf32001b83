import type { Log } from "../shared/log.ts";
import type { S3Options } from "../shared/open-store.ts";
import { endsWithin } from "../shared/within.ts";
import type { KnownRun } from "./known-run.ts";
import type { QueuesSeen, QueueSources } from "./queue-sources.ts";
import type { RunStore } from "./run-store.ts";
import type { Thumbnails } from "./thumbnails.ts";
import { NotFound } from "./trouble.ts";

const lookMs = 250;

/** What every page and action works with. */
export interface MonitorContext {
  store: RunStore;
  queues: QueueSources;
  thumbnails: Thumbnails;
  /** How the storage of runs at `s3://` locations is reached. */
  s3: S3Options | undefined;
  log: Log;
}

/** All lanes, as they were a moment ago. */
export function seeQueues({ queues, store }: MonitorContext): Promise<QueuesSeen> {
  return queues.see(store.all());
}

/** The run that a path names, also one that has just begun. @throws NotFound */
export async function runOf({ store }: MonitorContext, id: string | undefined): Promise<KnownRun> {
  const run = store.find(id ?? "") ?? (await store.lookFor(id ?? ""));
  if (!run) throw new NotFound(`There is no run ${id} among those that the monitor was given`);
  // A small journal is read before the page is made; of a large one the page says how far it is.
  await endsWithin(lookMs, run.look());
  return run;
}
