import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { hostIdentity } from "../shared/host-identity.ts";
import { parseJson } from "../shared/parse-json.ts";
import type { RedisClient } from "../shared/redis.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { producerTtlMs } from "../shared/steer.ts";
import { RunInUseError, RunLostError } from "./run-lock.ts";

const lookMs = 250;

/** Who drives a run, as its key in Redis tells. */
const Driver = z.object({
  host: z.string(),
  /** Names the table of processes that `pid` is in, and with it the disks that a folder is on. */
  machine: z.string(),
  /** The run's location: an absolute path, or `s3://bucket/prefix` and which storage that is in. */
  place: z.string(),
  pid: z.int(),
  /** Another one in each life. */
  token: z.string(),
});
type Driver = z.infer<typeof Driver>;

// Sets the key to ARGV[1] for ARGV[2] ms unless somebody else than that or ARGV[3] has it; then gives what they set.
const holdScript = `
local held = redis.call('get', KEYS[1])
if held and held ~= ARGV[1] and held ~= ARGV[3] then return held end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

/** How a wait for somebody else's claim is told, and ended early. */
export interface ClaimWait {
  stopping: AbortSignal;
  onWait: (text: string) => void;
}

/**
 * The right to drive a run in one Redis. A lock keeps two producers of one place apart; copies of a run directory have a lock
 * each, but the same run id, and would take each other's results.
 */
export class RunClaim {
  readonly #redis: RedisClient;
  readonly #key: string;
  readonly #run: string;
  readonly #mine: Driver;

  /** `place`: the location whose lock this process holds. */
  constructor(redis: RedisClient, key: string, { run, place }: { run: string; place: string }) {
    this.#redis = redis;
    this.#key = key;
    this.#run = run;
    this.#mine = {
      host: hostname(),
      machine: hostIdentity(),
      place,
      pid: process.pid,
      token: randomUUID(),
    };
  }

  /**
   * Takes the claim; `onWait` is told what is waited for, and until when. One of this place is replaced at once, since who
   * holds the place's lock knows that its holder is dead; so is any in a Redis that nobody else uses (`isPrivate`). One of
   * another place has to run out, in 10 s at most.
   * @throws RunInUseError where that one is renewed meanwhile; the reason of `stopping` once that is aborted
   */
  async take(isPrivate: boolean, { stopping, onWait }: ClaimWait): Promise<void> {
    const end = Date.now() + producerTtlMs + 1_000;
    for (let over = "", leftMs = Infinity; ;) {
      const held = await this.#hold(over);
      if (held === undefined) return;
      const driver = parseJson(Driver, held);
      if (isPrivate || (driver && this.#isHere(driver))) {
        over = held;
        continue;
      }
      const nowLeftMs = await this.#redis.pttl(this.#key);
      // Nothing but a living producer gives it more time.
      if (nowLeftMs > leftMs || Date.now() > end) throw this.#inUse(driver);
      if (leftMs === Infinity && nowLeftMs > 0) onWait(this.#describeWait(driver, nowLeftMs));
      leftMs = nowLeftMs;
      await delay(lookMs, undefined, { signal: stopping });
    }
  }

  /** Keeps the claim, also in a Redis that has forgotten it. @throws RunLostError where another producer has it */
  async renew(): Promise<void> {
    const held = await this.#hold("");
    if (held === undefined) return;
    const by = describe(parseJson(Driver, held));
    throw new RunLostError(
      `run ${this.#run} is driven ${by} now: this producer, of ${this.#mine.place}, writes nothing more`,
    );
  }

  /** Undefined where the claim is held now; else what another producer set. */
  async #hold(over: string): Promise<string | undefined> {
    const mine = JSON.stringify(this.#mine);
    const held = await this.#redis.eval(holdScript, 1, this.#key, mine, producerTtlMs, over);
    return typeof held === "string" ? held : undefined;
  }

  #isHere({ place, machine }: Driver): boolean {
    return place === this.#mine.place && (isS3Location(place) || machine === this.#mine.machine);
  }

  #describeWait(driver: Driver | undefined, leftMs: number): string {
    const until = new Date(Date.now() + leftMs).toTimeString().slice(0, 8);
    return `run ${this.#run} was driven ${describe(driver)}: waits until ${until} (${Math.ceil(leftMs / 1000)} s) for that producer to be heard of or to count as dead`;
  }

  #inUse(driver: Driver | undefined): RunInUseError {
    return new RunInUseError(
      `run ${this.#run} is driven ${describe(driver)}: go on there, or stop it there before it goes on at ${this.#mine.place} (two copies of one run on one Redis would take each other's results; over another Redis each can go on)`,
    );
  }
}

/** An older version only tells that there is a producer. */
function describe(driver: Driver | undefined): string {
  return driver
    ? `from ${driver.place} on ${driver.host} (process ${driver.pid})`
    : "from another place, by an older version";
}
