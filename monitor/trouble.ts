import { asError, messageOf } from "../shared/caught.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { redisMessage } from "../shared/redis-message.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Nothing is at this address. */
export class NotFound extends Error {
  override readonly name = "NotFound";
}

/** What was to be done needs Redis. */
export class RedisAway extends Error {
  override readonly name = "RedisAway";
}

/** What came is no form. */
export class MalformedForm extends Error {
  override readonly name = "MalformedForm";
}

/** A part of the address is not what a page's own links give. */
export class MalformedAddress extends Error {
  override readonly name = "MalformedAddress";
}

/** Why a page cannot be made, or an action not done, for who asked. */
export interface Trouble {
  status: 400 | 404 | 409 | 500 | 503;
  title: string;
  message: string;
}

/** What is said of an error; 500 is a fault of the monitor's own. */
export function troubleOf(error: unknown): Trouble {
  const message = messageOf(error);
  if (error instanceof NotFound) return { status: 404, title: "Not found", message };
  if (error instanceof MalformedForm)
    return { status: 400, title: "The form cannot be read", message };
  if (error instanceof MalformedAddress)
    return { status: 400, title: "The address cannot be read", message };
  if (error instanceof UsageError) return { status: 409, title: "This cannot be done", message };
  if (error instanceof RedisAway || isQueueError(error))
    return { status: 503, title: "Redis cannot be read", message: redisTrouble(error) };
  if (error instanceof StorageError)
    return { status: 503, title: "The storage cannot be read", message };
  return { status: 500, title: "Something went wrong", message };
}

/** ioredis tells of a connection that broke only which of its options bounds the retries. */
function redisTrouble(error: unknown): string {
  const why = asError(error).name === "MaxRetriesPerRequestError" ? "" : `: ${redisMessage(error)}`;
  return `Redis did not answer what was asked${why}. This works again once it does.`;
}
