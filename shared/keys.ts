/** The prefix of every key unless another is given. */
export const defaultPrefix = "imagemill";

/** The Redis keys of one lane. ARCHITECTURE.md has the table of writers, readers and lifetimes. */
export interface LaneKeys {
  /** BullMQ's prefix: its own keys are `<queuePrefix>:<lane>:…`. */
  queuePrefix: string;
  /** Hash: run id → registration. */
  runs: string;
  /** Hash: why the lane is paused. */
  pause: string;
  /** String that lives as long as the lane has to wait, by Redis' own clock. */
  hold: string;
  /** String: the lane's limits as far as they are used up, and what was found out of them (`worker/pace-script.ts`). */
  pace: string;
  /** Hash: worker id → its calls in flight. */
  inFlight: string;
  /** Set of worker ids. */
  workers: string;
  /** String with a time to live: a worker's last heartbeat. */
  heartbeat(worker: string): string;
  /** String with a time to live: the living producer of the run (`producer/run-claim.ts`). */
  producer(run: string): string;
  /** Stream of a run's results. */
  results(run: string): string;
  /** Hash: what a run with `--max-cost` has spent and reserved. */
  budget(run: string): string;
}

/** The keys of a lane under a prefix. */
export function laneKeys(prefix: string, lane: string): LaneKeys {
  const base = `${prefix}:lane:${lane}`;
  return {
    queuePrefix: `${prefix}:queue`,
    runs: `${base}:runs`,
    pause: `${base}:pause`,
    hold: `${base}:hold`,
    pace: `${base}:pace`,
    inFlight: `${base}:in-flight`,
    workers: `${base}:workers`,
    heartbeat: (worker) => `${base}:worker:${worker}`,
    producer: (run) => `${base}:producer:${run}`,
    results: (run) => `${base}:results:${run}`,
    budget: (run) => `${base}:budget:${run}`,
  };
}

/** Hash of all lanes that a producer has opened: lane → lane card. */
export function lanesKey(prefix: string): string {
  return `${prefix}:lanes`;
}
