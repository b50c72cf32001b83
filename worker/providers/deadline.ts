import { stackOf } from "../../shared/caught.ts";
import { ProviderError } from "../../shared/failure.ts";
import type { AnswerShare } from "../answer-memory.ts";
import type { Progress } from "./http-exchange.ts";
import { onAbort } from "./on-abort.ts";

/** How long a call may take, and who else may end it. */
interface DeadlineOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  memory?: AnswerShare | undefined;
}

/**
 * Runs `work` with a signal that aborts when the caller's signal does or when `timeoutMs` are over, and the time
 * on top that an answer waited for room in our own memory.
 * @throws the caller's abort reason as it is
 * @throws ProviderError of `work` as it is; `timeout`, naming the phase, when the time is over; `internal` for anything else
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal, progress: Progress) => Promise<T>,
): Promise<T> {
  const { timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const progress: Progress = { phase: "connecting" };
  const controller = new AbortController();
  const leaveSignal = onAbort(signal, () => controller.abort(signal?.reason));
  const deadline = startDeadline(options, () =>
    controller.abort(new Error("the call took too long")),
  );
  try {
    return await work(controller.signal, progress);
  } catch (error) {
    if (signal?.aborted && !deadline.isOver()) throw signal.reason;
    if (deadline.isOver()) {
      const message = `no answer within ${timeoutMs / 1000} s (${progress.phase})`;
      throw new ProviderError("timeout", message, { sent: progress.phase !== "connecting" });
    }
    if (error instanceof ProviderError) throw error;
    throw new ProviderError("internal", stackOf(error), { cause: error });
  } finally {
    deadline.end();
    leaveSignal();
  }
}

/** Calls `onOver` once the time is over, and the time on top that the answer waited for room until then. */
function startDeadline({ timeoutMs, memory }: DeadlineOptions, onOver: () => void) {
  let isOver = false;
  let heldUpMs = 0;
  const giveUp = () => {
    const moreMs = (memory?.heldUpMs ?? 0) - heldUpMs;
    if (moreMs > 0) {
      heldUpMs += moreMs;
      timer = setTimeout(giveUp, moreMs);
      return;
    }
    isOver = true;
    onOver();
  };
  let timer = setTimeout(giveUp, timeoutMs);
  return { isOver: () => isOver, end: () => clearTimeout(timer) };
}
