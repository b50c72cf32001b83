import { setTimeout as delay } from "node:timers/promises";
import { asError } from "../shared/caught.ts";
import type { Deaths } from "../shared/deaths.ts";
import { isQueueError } from "../shared/queue-error.ts";
import type { Budget } from "./budget.ts";
import type { Collector } from "./collector.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { LaneWatch } from "./lane-watch.ts";
import { settleLeftovers } from "./leftovers.ts";
import { isElsewhere, leftState, registrationOf, stateOf } from "./registration-of.ts";
import type { StopReason } from "./stop.ts";
import { storedHere } from "./stored-here.ts";
import type { Window } from "./window.ts";
import { leaveQueue, withdraw } from "./withdraw.ts";

/** Workers look at registrations more often than that. */
const seenMs = 1_000;

/** What a stay works on. */
export interface QueueStayParts extends EngineParts {
  window: Window;
  collector: Collector;
  watch: LaneWatch;
  budget: Budget | undefined;
  /** Aborted when the run ends before its dataset does. */
  stopping: AbortSignal;
  /** Why the run ends before its dataset does, once it does. */
  stopReason: () => StopReason | undefined;
}

/** A run's stay in the queue: makes it known to workers, settles what an earlier life left there, and takes all of it out. */
export class QueueStay {
  readonly #parts: QueueStayParts;
  #deaths: ReadonlyMap<number, Deaths> = new Map();
  /** Nothing of the run is left in the queue. */
  #isClean = true;
  /** A producer of another place left the run in the queue: images of its results need not be here. */
  #isFromElsewhere = false;

  constructor(parts: QueueStayParts) {
    this.#parts = parts;
  }

  /** Of processes that died with a prompt in hand, by its index: known once the stay has begun. */
  get deaths(): ReadonlyMap<number, Deaths> {
    return this.#deaths;
  }

  /**
   * Claims the run, makes it known and settles what an earlier life left in the stream, before anything is fed. May be
   * called again after an error.
   * @throws RunInUseError where a copy of the run is driven from another place
   */
  async begin(): Promise<void> {
    const { run, lane, privateRedis, watch, budget, log, stopping } = this.#parts;
    const onWait = (text: string) => log.warn({}, text);
    await lane.claim.take(privateRedis, { stopping, onWait });
    const { pause, runs } = await lane.state();
    const known = runs.get(run.id);
    this.#isFromElsewhere ||= known !== undefined && isElsewhere(known, this.#parts);
    if (pause && pause.kind !== "person") await lane.unpause();
    await watch.learnSteering();
    if (this.#isFromElsewhere && !privateRedis) await this.#takeOver();
    await this.#settle();
    // Jobs of a crashed life hold locks of a worker that is no more; the journal knows better than they.
    if (privateRedis) {
      const { deaths, calls } = await lane.clear(run.id);
      this.#deaths = deaths;
      run.unsettledCalls += calls;
    }
    await budget?.open();
    await this.register();
    // Who steered the run before that saw no registration, but wrote to the directory.
    if (await watch.learnSteering()) await this.register();
  }

  /** Tells workers of the run, in the state that it has. @throws RunLostError where another producer drives it now */
  async register(): Promise<void> {
    const { run, lane, watch, stopReason } = this.#parts;
    await lane.claim.renew();
    await lane.register(registrationOf(run, this.#parts, stateOf(stopReason(), watch.steering)));
  }

  /**
   * Takes out the jobs of a producer of another place. What workers have in hand they store there: it is waited for, as long
   * as calls are at a stop, and made again here unless the place is the same one under another name.
   */
  async #takeOver(): Promise<void> {
    const { run, lane, stopReason } = this.#parts;
    await lane.register(registrationOf(run, this.#parts, { state: "stopping" }));
    await delay(seenMs);
    const settle = () => this.#settle();
    const isVain = () => stopReason() !== undefined;
    const { calls } = await withdraw({ ...this.#parts, run: run.id, settle, isVain });
    run.unsettledCalls += calls;
  }

  /** Settles everything that is in the stream. */
  async #settle(): Promise<void> {
    const { listImages, collector, stopReason, onError } = this.#parts;
    const isStored = this.#isFromElsewhere ? storedHere(listImages) : undefined;
    try {
      await settleLeftovers({ ...this.#parts, isStored });
    } catch (error) {
      if (stopReason()?.state !== "cancelled" || isQueueError(error)) throw error;
      // A run can be cancelled though its dataset is gone: what cannot be settled stays in storage.
      onError(asError(error));
      await collector.drain();
    }
  }

  /** Takes the run's jobs out of the queue, and settles what those in work come to. Trouble is only told of. */
  async withdraw(): Promise<void> {
    const { run, lane, window, settled, collector, graceMs, watch, stopReason, onError } =
      this.#parts;
    const settle = () => this.#settle();
    // The run has waited for storage longer than it was to.
    const isVain = () => stopReason()?.isStorageAway === true && watch.isHeldByStorage;
    try {
      await this.register();
      const parts = { run: run.id, lane, window, settled, collector, settle, graceMs, isVain };
      const { calls, held } = await withdraw(parts);
      run.unsettledCalls += calls;
      this.#isClean = held === 0;
    } catch (error) {
      this.#isClean = false;
      onError(asError(error));
    }
  }

  /** Leaves nothing of the run in Redis or, where workers still hold jobs of it, what tells them to drop those. */
  async end(): Promise<void> {
    const { lane, run, collector, budget, stopReason, onError } = this.#parts;
    try {
      await lane.claim.renew();
      await collector.drain();
      if (this.#isClean) {
        await budget?.close();
        await leaveQueue(lane, run.id);
      } else await lane.register(registrationOf(run, this.#parts, leftState(stopReason())));
    } catch (error) {
      onError(asError(error));
    }
  }
}
