import type { LanePause, LaneState } from "../shared/lane-state.ts";
import { formatSeconds } from "../shared/quantity.ts";
import { HandBack, NewerWork, RunCancelled } from "./job-moves.ts";
import { ProviderHealth } from "./provider-health.ts";

/** How long a job of a paused run stays away. */
const pausedRunDelayMs = 3_000;
/** How long a job of a run stays away whose images cannot be stored here. */
const troubledRunDelayMs = 1_000;
/** Of a hold as long as this it is told when it ends. */
const longHoldMs = 10_000;

type Verdict = { go: true } | { go: false; waitMs: number };

/**
 * Every call of a lane passes here before it starts: it waits while the lane is held or its provider is away, and goes
 * back to the queue when the worker closes or the lane or the run is paused.
 */
export class Gate {
  readonly health: ProviderHealth;
  /** Told when what is true of the lane may have changed. */
  onWake = (): void => {};
  readonly #now: () => number;
  readonly #waiters = new Set<() => void>();
  readonly #storageTrouble = new Map<string, string>();
  #runs: LaneState["runs"] = new Map();
  #newer: LaneState["newer"] = new Set();
  #heldUntil = 0;
  /** The same at the earliest: counted from when Redis was asked. */
  #surelyHeldUntil = 0;
  #ownHoldUntil = 0;
  #pause: LanePause | undefined;
  #closed: string | undefined;

  /** `now` is for tests. Holds are counted by a clock that nobody sets. */
  constructor(now?: () => number) {
    this.#now = now ?? (() => performance.now());
    this.health = new ProviderHealth(now ?? Date.now);
  }

  /** Takes over what Redis says of the lane; `tookMs`: how long ago it was asked. */
  update(state: LaneState, tookMs = 0): void {
    this.#runs = state.runs;
    this.#newer = state.newer;
    this.#pause = state.pause;
    this.#heldUntil = this.#now() + state.holdMs;
    this.#surelyHeldUntil = this.#heldUntil - tookMs;
    this.wake();
  }

  get pause(): LanePause | undefined {
    return this.#pause;
  }

  /** Lets nothing start for `ms` in this worker; the lane's other workers learn it through Redis. */
  hold(ms: number): void {
    this.#ownHoldUntil = Math.max(this.#ownHoldUntil, this.#now() + ms);
  }

  /**
   * Redis knows the holds of this worker now: from here on it alone says when the lane may go on. `tookMs`: how long ago it
   * was told.
   */
  holdIsShared(ms: number, tookMs = 0): void {
    this.#surelyHeldUntil = Math.max(this.#surelyHeldUntil, this.#now() + ms - tookMs);
    this.#heldUntil = Math.max(this.#heldUntil, this.#now() + ms);
    this.#ownHoldUntil = 0;
  }

  /**
   * Redis may have forgotten the lane's hold: what is known of it here is a hold of this worker's own, until Redis knows it
   * again. Gives the milliseconds that are left of it; 0 where there is none.
   */
  keepHold(): number {
    const leftMs = Math.max(0, this.#holdMs);
    this.hold(leftMs);
    return leftMs;
  }

  /** How long the lane has to wait at least, by what Redis said before. */
  get knownHoldMs(): number {
    return Math.max(0, this.#surelyHeldUntil - this.#now());
  }

  pauseLane(pause: LanePause): void {
    this.#pause = pause;
    this.wake();
  }

  /** No call starts any more; who waits goes back to the queue. */
  close(reason: string): void {
    this.#closed = reason;
    this.wake();
  }

  /** Calls may start again after {@link close}. */
  reopen(): void {
    this.#closed = undefined;
    this.wake();
  }

  /**
   * Calls of the run wait while its images cannot be stored; undefined: they can again. True where that was not known.
   */
  storageTrouble(run: string, trouble: string | undefined): boolean {
    const wasTroubled = this.#storageTrouble.has(run);
    if (trouble === undefined) this.#storageTrouble.delete(run);
    else this.#storageTrouble.set(run, trouble);
    this.wake();
    return wasTroubled !== (trouble !== undefined);
  }

  /** Why calls wait, for the heartbeat. */
  get waitingFor(): string | undefined {
    if (this.#pause) return `lane paused (${this.#pause.kind}): ${this.#pause.reason}`;
    const [trouble] = this.#storageTrouble.values();
    if (trouble !== undefined) return `storage: ${trouble}`;
    if (this.health.away) return "provider away";
    const holdMs = this.#holdMs;
    if (holdMs < longHoldMs) return holdMs > 0 ? "rate limit" : undefined;
    return `rate limit, goes on in ${formatSeconds(holdMs / 1000)}`;
  }

  /**
   * Resolves when a call of the run may start.
   * @throws HandBack when the worker closes, or lane or run are paused
   * @throws RunCancelled
   */
  async enter(run: string): Promise<void> {
    for (;;) {
      const verdict = this.#verdict(run);
      if (verdict.go) {
        this.health.started();
        return;
      }
      await this.#wakeOrTimeout(verdict.waitMs);
    }
  }

  /**
   * Whether a call that was let in may still start; of holds only one that Redis does not know is looked at: for the others
   * it has said so. @throws as {@link enter} does
   */
  mayStart(run: string): boolean {
    this.#refuse(run);
    if (this.#ownHoldUntil > this.#now()) return false;
    return !this.#storageTrouble.has(run) && (!this.health.away || this.health.probing);
  }

  /** @throws NewerWork where a newer imagemill registered the run: its newer workers do its jobs */
  refuseNewer(run: string): void {
    if (this.#newer.has(run)) throw new NewerWork(`a newer imagemill registered run ${run}`);
  }

  /** Waits for `ms`, or until the worker closes. */
  async rest(ms: number): Promise<void> {
    const end = this.#now() + ms;
    while (this.#closed === undefined && this.#now() < end)
      await this.#wakeOrTimeout(end - this.#now());
  }

  /** Lets everybody who waits look again. */
  wake(): void {
    for (const waiter of Array.from(this.#waiters)) waiter();
    this.onWake();
  }

  get #holdMs(): number {
    return Math.max(this.#heldUntil, this.#ownHoldUntil) - this.#now();
  }

  #verdict(run: string): Verdict {
    this.#refuse(run);
    const waitMs = Math.max(this.#holdMs, this.health.waitMs);
    return waitMs > 0 ? { go: false, waitMs } : { go: true };
  }

  #refuse(run: string): void {
    if (this.#closed !== undefined) throw new HandBack(this.#closed);
    if (this.#pause) throw new HandBack(`lane paused: ${this.#pause.reason}`);
    this.refuseNewer(run);
    const state = this.#runs.get(run)?.state;
    if (state === "cancelled" || state === "stopped") throw new RunCancelled(run);
    if (state === "paused" || state === "stopping")
      throw new HandBack(`run ${state}`, pausedRunDelayMs);
    // Waiting here would keep the lane's other runs from their turn.
    if (this.#storageTrouble.has(run))
      throw new HandBack("its storage is in trouble", troubledRunDelayMs);
  }

  async #wakeOrTimeout(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      const waiter = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
      if (Number.isFinite(ms)) timer = setTimeout(waiter, ms);
    });
  }
}
