import type { ProviderError } from "../shared/failure.ts";
import type { LaneKeys } from "../shared/keys.ts";
import { pauseLane, readHeartbeats, unpauseLane } from "../shared/lane-state.ts";
import type { Log } from "../shared/log.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { Gate } from "./gate.ts";
import type { RenewableKey } from "./renewable-key.ts";

/** What it takes to leave a lane. */
export interface LaneExitParts {
  worker: string;
  redis: RedisClient;
  keys: LaneKeys;
  key: RenewableKey;
  gate: Gate;
  log: Log;
  /** Takes no more jobs, where key or gate now say so. */
  rest: () => Promise<void>;
  /** Tells the lane's other workers of it. */
  beat: () => Promise<void>;
}

/** Ends the service of a lane after a failure that its other calls would meet as well: by this worker, or by all. */
export class LaneExit {
  readonly #parts: LaneExitParts;

  constructor(parts: LaneExitParts) {
    this.#parts = parts;
  }

  /** The provider refused this worker's key: no more jobs of this lane here; the lane pauses if no other worker is fit. */
  async leave(failure: ProviderError): Promise<void> {
    const { worker, redis, keys, key, gate, log, rest, beat } = this.#parts;
    if (key.isGivenUp) return;
    key.giveUp();
    gate.close(`the provider refused the key of worker ${worker}`);
    await rest();
    await beat();
    log.error({ kind: failure.kind, status: failure.status }, `left the lane: ${failure.message}`);
    const others = await readHeartbeats(redis, keys);
    if (!others.some((heartbeat) => heartbeat.fit)) await this.#pause(failure);
  }

  /**
   * Goes back to a lane that was left once the key's source holds another key, and ends the pause that the old one brought.
   * True where it does.
   */
  async returnWithNewKey(): Promise<boolean> {
    const { redis, keys, key, gate, log } = this.#parts;
    if (!key.recover()) return false;
    if (gate.pause?.kind === "auth") await unpauseLane(redis, keys);
    gate.reopen();
    log.info({}, "another key was found: back in the lane");
    return true;
  }

  /** Pauses the lane for all workers. */
  async stop(failure: ProviderError): Promise<void> {
    if (!this.#parts.gate.pause) await this.#pause(failure);
  }

  async #pause({ kind, message }: ProviderError): Promise<void> {
    const { redis, keys, gate, log, rest } = this.#parts;
    const pause = { kind, reason: message };
    gate.pauseLane(pause);
    log.error(pause, "the lane is paused");
    await rest();
    await pauseLane(redis, keys, pause);
  }
}
