import { setTimeout as delay } from "node:timers/promises";
import { attemptLimits, failureActions, ProviderError } from "../../shared/failure.ts";
import { plural } from "../../shared/quantity.ts";
import { backoffMs } from "../backoff.ts";
import { unloadedCode } from "./classify-transport.ts";
import type { ImageGeneration } from "./image-generation.ts";

/** How the images of one planned call are made. */
export interface RetryOptions {
  /** Makes one call for these generations. */
  call: (generations: readonly number[]) => Promise<ImageGeneration>;
  /** Takes an answer in, and gives the generations that it lacks. */
  made: (generations: readonly number[], answer: ImageGeneration) => number[];
  /** Is told of each failure after which the call is tried again, and when. */
  waiting: (error: ProviderError, waitMs: number) => void;
  /** Further tries after the first. */
  maxRetries: number;
  signal: AbortSignal | undefined;
}

/**
 * Makes the images of one planned call: waits and tries again where the table of failures says that it can help, asks
 * again for images that an answer lacks, and makes smaller calls where one asks for more than the provider's limit.
 * @throws what the last try came to
 */
export async function callWithRetries(
  generations: readonly number[],
  options: RetryOptions,
): Promise<void> {
  const { maxRetries, signal } = options;
  const failures: ProviderError[] = [];
  let rest = [...generations];
  let most = rest.length;
  while (rest.length > 0) {
    const part = rest.slice(0, most);
    try {
      const missing = await makeSome(part, options);
      rest = [...missing, ...rest.slice(part.length)];
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (failureActions[error.kind] === "split" && part.length > 1) {
        const fitting = error.imagesLimit ?? Math.floor(part.length / 2);
        most = Math.max(1, Math.min(part.length - 1, fitting));
        continue;
      }
      failures.push(error);
      if (failures.length > maxRetries || !mayHelp(error, failures)) throw error;
      const waitMs = error.retryAfterMs ?? backoffMs(failures.length);
      options.waiting(error, waitMs);
      await delay(waitMs, undefined, { signal });
    }
  }
}

/** One call. Gives what it lacks; an answer without any image is a failure. */
async function makeSome(
  part: readonly number[],
  { call, made }: RetryOptions,
): Promise<readonly number[]> {
  const missing = made(part, await call(part));
  if (missing.length < part.length) return missing;
  throw new ProviderError(
    "bad_response",
    `${plural(part.length, "image was", "images were")} asked for, none came`,
  );
}

/** Whether the same call may succeed at another time. */
function mayHelp(error: ProviderError, failures: readonly ProviderError[]): boolean {
  const alike = failures.filter(({ kind }) => kind === error.kind).length;
  if (alike >= (attemptLimits[error.kind] ?? Infinity)) return false;
  const action = failureActions[error.kind];
  return action === "retry" || action === "hold" || error.moderationStage === "output";
}

/** Whether no other call is to be made: a refused key, no money, no such model, or the model was unloaded. */
export function isHopeless(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return false;
  if (error.code === unloadedCode) return true;
  const action = failureActions[error.kind];
  return action === "leave" || action === "stop";
}
