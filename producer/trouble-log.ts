import { isDiskTrouble } from "../shared/caught.ts";
import type { Log } from "../shared/log.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { redisMessage } from "../shared/redis-message.ts";
import { SparseTelling } from "../shared/sparse-telling.ts";

/** Where trouble comes from, as lines of the log begin. */
function areaOf(error: Error): string {
  if (isDiskTrouble(error)) return "storage: ";
  return isQueueError(error) ? "Redis: " : "";
}

/** Logs what goes wrong while a run goes on all the same: of each area the first at once, the rest as counts. */
export class TroubleLog {
  readonly #log: Log;
  readonly #telling = new SparseTelling();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes what went wrong anywhere. */
  readonly add = (error: Error): void => this.#tell(areaOf(error), error);

  /** Takes an error of a connection to Redis, whatever it says. */
  readonly ofRedis = (error: Error): void => this.#tell("Redis: ", error);

  /** Tells what was only counted so far. */
  close(): void {
    this.#telling.close();
  }

  #tell(area: string, error: Error): void {
    const count = (times: number) =>
      this.#log.warn({ count: times }, `${area}${redisMessage(error)}`);
    this.#telling.tell(area, { full: () => count(1), count });
  }
}
