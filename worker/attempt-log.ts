import type { Log } from "../shared/log.ts";
import { normalizeMessage } from "../shared/normalize-message.ts";
import type { AttemptRecord } from "../shared/result.ts";
import { SparseTelling } from "../shared/sparse-telling.ts";

/** So many failures that are alike are told in full, the rest as a count every 10 s. */
const inFull = 3;
/** Beyond so many different messages at a time failures count as alike by their outcome. */
const mostKinds = 20;

/**
 * The log of a lane's attempts: those that made their images only for who looks closely, and failed ones only a few where
 * many fail alike. The journal has all of them.
 */
export class AttemptLog {
  readonly #log: Log;
  readonly #failures = new SparseTelling({ inFull, mostKinds });

  constructor(log: Log) {
    this.#log = log;
  }

  /** `fields`: whose job it was. */
  ended(fields: object, { outcome, status, startedAt, endedAt, message }: AttemptRecord): void {
    const told = {
      ...fields,
      outcome,
      ...(status !== undefined && { status }),
      ms: endedAt - startedAt,
    };
    if (outcome === "ok") {
      this.#log.debug(told, "an attempt made its images");
      return;
    }
    const reason = message ?? "no reason is known";
    const alike = `${outcome} ${status} ${normalizeMessage(reason)}`;
    const telling = {
      full: () => this.#log.info(told, `an attempt failed: ${reason}`),
      count: (count: number) =>
        this.#log.info({ ...told, count }, `more attempts failed like this one: ${reason}`),
    };
    this.#failures.tell(alike, telling, outcome);
  }

  /** Tells what was only counted so far. */
  close(): void {
    this.#failures.close();
  }
}
