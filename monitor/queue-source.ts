import { lanesKey } from "../shared/keys.ts";
import { LaneCard } from "../shared/lane-card.ts";
import { parseJson } from "../shared/parse-json.ts";
import { limitErrors } from "../shared/limit-errors.ts";
import { connectRedis, type RedisClient } from "../shared/redis.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import type { Log } from "../shared/log.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import { LaneView } from "./lane-view.ts";
import { recent } from "./recent.ts";

const lookForLanesMs = 1_500;
/** The name of the source that producers and workers share. */
export const sharedName = "shared";

/** A Redis with lanes: the shared one, or the private one of a run. */
export class QueueSource {
  /** {@link sharedName}, or the location of the run whose private Redis it is. */
  readonly name: string;
  readonly redis: RedisClient;
  readonly #prefix: string;
  readonly #lanes = new Map<string, LaneView>();
  readonly #stopListening: () => void;
  readonly #look = recent(lookForLanesMs, () => this.#findLanes());

  constructor(name: string, target: RedisTarget, prefix: string, log: Log) {
    this.name = name;
    const role = "producer";
    this.redis = connectRedis(target, { role, name: "imagemill-monitor", isImpatient: true });
    this.#prefix = prefix;
    this.#stopListening = limitErrors(this.redis, (message) => log.warn({}, `Redis: ${message}`));
  }

  get isShared(): boolean {
    return this.name === sharedName;
  }

  get prefix(): string {
    return this.#prefix;
  }

  /** Its lanes, by name. Rejects while Redis is away. */
  lanes(): Promise<LaneView[]> {
    return this.#look();
  }

  async #findLanes(): Promise<LaneView[]> {
    const cards = await this.redis.hgetall(lanesKey(this.#prefix));
    for (const [lane, text] of Object.entries(cards)) {
      if (this.#lanes.has(lane)) continue;
      const card = parseJson(LaneCard, text);
      if (card) this.#lanes.set(lane, new LaneView(this.redis, this.#prefix, lane, card));
    }
    return [...this.#lanes.values()].toSorted((a, b) => a.lane.localeCompare(b.lane));
  }

  async close(): Promise<void> {
    this.#stopListening();
    await endsWithin(
      closeLimitMs,
      Promise.all(Array.from(this.#lanes.values(), (lane) => lane.close())),
    );
    this.redis.disconnect();
  }
}
