import type { AttemptRecord } from "../shared/result.ts";

/** Who is told what a worker does, such as its metrics. Must not throw, and must be quick. */
export interface WorkerObserver {
  /** An attempt has ended, well or not. */
  attemptEnded(lane: string, attempt: AttemptRecord): void;
  /** An image is in storage; `costUsd` is its estimated price, where prices are known. */
  imageStored(lane: string, bytes: number, costUsd: number | undefined): void;
  /** A job was taken from a worker that went silent. */
  jobStalled(lane: string): void;
}

/** Tells nobody. */
export const noObserver: WorkerObserver = {
  attemptEnded: () => {},
  imageStored: () => {},
  jobStalled: () => {},
};
