import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Condition, ObjectStore } from "../shared/object-store.ts";
import { parseJson } from "../shared/parse-json.ts";
import { repeat } from "../shared/repeat.ts";
import { stateFolder } from "../shared/state-files.ts";
import { StorageError } from "../shared/storage.ts";
import { ignoredCondition } from "../shared/store-conditions.ts";
import { UsageError } from "../shared/usage-error.ts";
import { foreignTimeoutMs, livesHere, LockHolder, thisProcess, touchMs } from "./lock-holder.ts";
import { RunInUseError, RunLostError, type RunLock } from "./run-lock.ts";

/** A holder who has not renewed for so long looks again before it trusts its lock. */
const trustMs = 2 * touchMs;
const lockName = `${stateFolder}/run.lock`;

/** The lock of a run in an object store: never removed, so that its epoch only grows. */
const LockObject = LockHolder.extend({
  /** Grows with each renewal. */
  beat: z.int(),
  /** Its holder has given it back. */
  released: z.boolean(),
});
type LockObject = z.infer<typeof LockObject>;

/** A run's lock in an object store. */
export interface ObjectLock extends RunLock {
  /** Asks the store, however recently it was asked. @throws RunLostError where another producer has taken the run over */
  renew(): Promise<void>;
}

/**
 * Takes the lock of a run in an object store, each step on the condition that nobody else was quicker. A dead holder is
 * replaced: at once on this host, after 15 s of silence on another.
 * @throws RunInUseError naming the living holder
 * @throws UsageError where the store ignores conditions
 */
export async function acquireObjectLock(store: ObjectStore): Promise<ObjectLock> {
  for (;;) {
    const found = await readLock(store);
    const holder = found?.lock;
    if (holder && !holder.released && (await isAlive(store, holder, found.tag))) {
      throw new RunInUseError(
        `${store.location} is in use by process ${holder.pid} on ${holder.host}: wait for it or stop it (lock: ${store.location}/${lockName})`,
      );
    }
    const mine = { ...thisProcess((holder?.epoch ?? 0) + 1), beat: 0, released: false };
    const tag = await take(store, mine, found ? { tag: found.tag } : "absent");
    if (tag !== undefined) return await heldLock(store, mine, tag);
  }
}

/** Puts a lock on a condition and gives its tag; undefined where somebody else was quicker. */
async function take(
  store: ObjectStore,
  mine: LockObject,
  condition: Condition,
): Promise<string | undefined> {
  const tag = await store.put(lockName, bytesOf(mine), condition);
  if (tag !== undefined) return tag;
  // A put whose answer is lost is sent once more: then it is the lock itself that stands in the way.
  const found = await readLock(store);
  return found?.lock.token === mine.token ? found.tag : undefined;
}

async function heldLock(store: ObjectStore, mine: LockObject, tag: string): Promise<ObjectLock> {
  const lock = new HeldLock(store, mine, tag);
  try {
    await requireConditions(store, mine);
    return lock;
  } catch (error) {
    // Else nobody could take it while this process lives.
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

async function readLock(
  store: ObjectStore,
): Promise<{ lock: LockObject; tag: string } | undefined> {
  const object = await store.get(lockName);
  if (!object) return undefined;
  const lock = parseJson(LockObject, object.bytes.toString("utf8"));
  if (lock) return { lock, tag: object.tag };
  throw new UsageError(
    `${store.location}/${lockName} is not a lock of imagemill: remove it if no producer runs`,
  );
}

function bytesOf(lock: LockObject): Buffer {
  return Buffer.from(JSON.stringify(lock));
}

async function isAlive(store: ObjectStore, holder: LockHolder, tag: string): Promise<boolean> {
  const isLiving = await livesHere(holder);
  if (isLiving !== undefined) return isLiving;
  // The other machine's clock may differ from ours: watch whether it renews, not when it last did.
  const end = Date.now() + foreignTimeoutMs;
  while (Date.now() < end) {
    await delay(500);
    if ((await readLock(store))?.tag !== tag) return true;
  }
  return false;
}

/** A store that takes every put would let producers and workers overwrite each other. @throws UsageError */
async function requireConditions(store: ObjectStore, mine: LockObject): Promise<void> {
  const name = await ignoredCondition(store, lockName, bytesOf(mine));
  if (name === undefined) return;
  throw new UsageError(
    `the storage of ${store.location} ignores ${name}: images and results could overwrite each other, so no run can be kept there`,
  );
}

class HeldLock implements ObjectLock {
  readonly #store: ObjectStore;
  #mine: LockObject;
  #tag: string;
  #renewedAt = Date.now();
  #lost: RunLostError | undefined;
  /** One renewal at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #released = new AbortController();
  readonly #renewing: Promise<void>;

  constructor(store: ObjectStore, mine: LockObject, tag: string) {
    this.#store = store;
    this.#mine = mine;
    this.#tag = tag;
    // A lost lock is noticed by who writes next; a lock that cannot be renewed now may be later.
    this.#renewing = repeat(
      touchMs,
      this.#released.signal,
      () => this.renew(),
      () => undefined,
    );
  }

  get epoch(): number {
    return this.#mine.epoch;
  }

  async check(): Promise<void> {
    if (this.#lost || Date.now() - this.#renewedAt > trustMs) await this.renew();
  }

  renew(): Promise<void> {
    const turn = this.#turn.then(() => this.#renew({ ...this.#mine, beat: this.#mine.beat + 1 }));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #renew(next: LockObject): Promise<void> {
    if (this.#lost) throw this.#lost;
    for (let at = Date.now(); ; at = Date.now()) {
      const tag = await this.#store.put(lockName, bytesOf(next), { tag: this.#tag });
      if (tag !== undefined) {
        this.#mine = next;
        this.#tag = tag;
        this.#renewedAt = at;
        return;
      }
      const found = await readLock(this.#store);
      if (found?.lock.token !== next.token) throw (this.#lost = lostTo(found?.lock));
      // The answer to an earlier renewal was lost on its way.
      this.#tag = found.tag;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released.abort();
    await this.#renewing;
    await this.#turn;
    try {
      if (!this.#lost) await this.#renew({ ...this.#mine, released: true });
    } catch (error) {
      // A lock that cannot be given back is that of a dead process soon.
      if (!(error instanceof StorageError || error instanceof RunLostError)) throw error;
    }
  }
}

function lostTo(taker: LockHolder | undefined): RunLostError {
  const who = taker ? `process ${taker.pid} on ${taker.host}` : "somebody who removed the lock";
  return new RunLostError(`this producer lost its run to ${who}: it writes nothing more`);
}
