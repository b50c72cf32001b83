import type { Worker } from "bullmq";

/** Jobs in hand without a call of theirs in flight, as a share of the calls. */
const spareJobs = 1 / 16;

/** How many jobs a lane's BullMQ worker has in hand, and when it takes none. */
export class JobIntake {
  readonly #bull: Worker;
  readonly #mayTake: () => boolean;
  #wantedCalls: number;

  /**
   * @param concurrency calls until {@link takeFor} says otherwise
   * @param mayTake whether a job that is taken now could begin
   */
  constructor(bull: Worker, concurrency: number, mayTake: () => boolean) {
    this.#bull = bull;
    this.#wantedCalls = concurrency;
    this.#mayTake = mayTake;
  }

  /** Calls that there are to be jobs for. */
  get wantedCalls(): number {
    return this.#wantedCalls;
  }

  /** Takes jobs for so many calls from now on, and for `waiting` more, whose jobs in hand wait for storage. */
  async takeFor(calls: number, waiting: number): Promise<void> {
    const bull = this.#bull;
    const before = bull.concurrency;
    this.#wantedCalls = calls + waiting;
    // Some jobs are being stored or settled: others have to be in hand for all calls to be in flight.
    bull.concurrency = this.#wantedCalls + Math.floor(this.#wantedCalls * spareJobs);
    // BullMQ sees a larger number when a job ends, or after a rest: none may end while all of them wait.
    if (waiting > 0 && bull.concurrency > before) await bull.pause(true);
    await this.restOrGo();
  }

  /** Takes no more jobs while none could begin. */
  async restOrGo(): Promise<void> {
    const rests = !this.#mayTake();
    if (rests && !this.#bull.isPaused()) await this.#bull.pause(true);
    if (!rests && this.#bull.isPaused()) await this.#bull.resume();
  }
}
