/** The job goes back to the queue unspent: nothing of it was sent, or it has to be looked at again later. */
export class HandBack extends Error {
  override readonly name = "HandBack";
  /** 0: at once, to the front; else after that many milliseconds. */
  readonly delayMs: number;

  constructor(reason: string, delayMs = 0) {
    super(reason);
    this.delayMs = delayMs;
  }
}

/** How long a worker leaves jobs to others after one that it cannot do: shorter than BullMQ waits before it renews a lock. */
const restMs = 2_000;

/** This worker cannot do the job, others may: it goes back at once, and its place here takes none for a while. */
export class NotHere extends HandBack {
  readonly restMs = restMs;
}

/** The job or its run is of a newer version than this worker reads: it goes back for a newer worker. */
export class NewerWork extends NotHere {
  constructor(reason: string) {
    super(`${reason}: update this worker`);
  }
}

/** An attempt failed and another one is due after `delayMs`. BullMQ counts it and shows the message. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly delayMs: number;

  constructor(reason: string, delayMs: number) {
    super(reason);
    this.delayMs = delayMs;
  }
}

/** Workers died of the job: it is given up. */
export class Crashed extends Error {
  override readonly name = "Crashed";
}

/** The run was cancelled: the job ends with nothing. */
export class RunCancelled extends Error {
  override readonly name = "RunCancelled";
}
