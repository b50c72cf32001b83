import type { Log } from "../shared/log.ts";
import { redisMessage } from "../shared/redis-message.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import type { KnownRun } from "./known-run.ts";
import type { LaneSnapshot, LaneView } from "./lane-view.ts";
import { QueueSource, sharedName } from "./queue-source.ts";

/** A lane of one of the sources, as it was a moment ago. */
export interface SeenLane {
  source: QueueSource;
  view: LaneView;
  snapshot: LaneSnapshot;
}

/** What the monitor sees of all queues at one moment. */
export interface QueuesSeen {
  lanes: SeenLane[];
  /** Why the shared Redis cannot be read, where it cannot. */
  trouble: string | undefined;
}

/** How queues are found. */
export interface QueueSourcesOptions {
  shared: RedisTarget | undefined;
  /** The private Redis of a run at a location, while it is up. */
  privateRedis: (location: string) => Promise<RedisTarget | undefined>;
  prefix: string;
  log: Log;
}

/** How often it is looked whether a run has a private Redis. */
const lookMs = 2_000;

/** The shared Redis, and the private ones of runs that are under way on this machine. */
export class QueueSources {
  readonly #options: QueueSourcesOptions;
  readonly #shared: QueueSource | undefined;
  readonly #private = new Map<string, QueueSource>();
  #lookedAt = -Infinity;

  constructor(options: QueueSourcesOptions) {
    this.#options = options;
    const { shared, prefix, log } = options;
    this.#shared = shared && new QueueSource(sharedName, shared, prefix, log);
  }

  /** Whether a shared Redis was given. */
  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  /** Answered by the shared Redis; resolves at once where there is none to be ready for. */
  async ping(): Promise<unknown> {
    return await this.#shared?.redis.ping();
  }

  /** All lanes, those of private queues of these runs included. Never rejects. */
  async see(runs: readonly KnownRun[]): Promise<QueuesSeen> {
    await this.#lookForPrivate(runs);
    const sources = [...(this.#shared ? [this.#shared] : []), ...this.#private.values()];
    let trouble: string | undefined;
    const lanes = await Promise.all(
      sources.map(async (source) => {
        try {
          const views = await source.lanes();
          const seen = views.map(async (view) => ({
            source,
            view,
            snapshot: await view.snapshot(),
          }));
          return await Promise.all(seen);
        } catch (error) {
          // A private Redis that is gone belonged to a run that has ended.
          if (source.isShared) trouble = redisMessage(error);
          return [];
        }
      }),
    );
    return { lanes: lanes.flat(), trouble };
  }

  async #lookForPrivate(runs: readonly KnownRun[]): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedAt < lookMs) return;
    this.#lookedAt = now;
    const { privateRedis, prefix, log } = this.#options;
    const living = new Set<string>();
    await Promise.all(
      runs.map(async ({ source: { location } }) => {
        const target = await privateRedis(location);
        if (!target) return;
        living.add(location);
        if (!this.#private.has(location))
          this.#private.set(location, new QueueSource(location, target, prefix, log));
      }),
    );
    const ended = [...this.#private].filter(([location]) => !living.has(location));
    for (const [location] of ended) this.#private.delete(location);
    await Promise.all(ended.map(([, source]) => source.close()));
  }

  async close(): Promise<void> {
    const sources = [...(this.#shared ? [this.#shared] : []), ...this.#private.values()];
    await Promise.all(sources.map((source) => source.close()));
  }
}
