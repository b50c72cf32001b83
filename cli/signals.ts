import type { Terminal } from "./terminal.ts";
import { plural } from "../shared/quantity.ts";

/** Supervisors signal a whole group: the same signal again within this time is the same wish. */
const sameWishMs = 300;
const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const signals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
type Signal = keyof typeof codes;

/** What {@link listenToSignals} gives. */
export interface SignalListener extends Disposable {
  /** The exit code that the first signal stands for; undefined while there was none. */
  readonly code: number | undefined;
}

/**
 * Calls `end` at the first SIGINT, SIGTERM or SIGHUP, `again` at each further one. By default the second one ends the
 * process at once, and says what may be lost.
 */
export function listenToSignals(
  terminal: Terminal,
  callsInFlight: () => number,
  end: (signal: Signal) => void,
  again: (signal: Signal) => void = (signal) => {
    terminal.write(
      `stopped at once: ${plural(callsInFlight(), "call in flight was", "calls in flight were")} given up and may be charged a second time`,
    );
    process.exit(codes[signal]);
  },
): SignalListener {
  let code: number | undefined;
  let signalledAt = 0;
  const onSignal = (signal: Signal) => {
    if (Date.now() - signalledAt < sameWishMs) return;
    signalledAt = Date.now();
    if (code !== undefined) {
      again(signal);
      return;
    }
    code = codes[signal];
    end(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    get code() {
      return code;
    },
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Waits for the first signal, then for `close`. */
export async function endAtSignal(
  terminal: Terminal,
  callsInFlight: () => number,
  close: () => Promise<void>,
): Promise<void> {
  const wish = Promise.withResolvers<void>();
  using _ = listenToSignals(terminal, callsInFlight, (signal) => {
    terminal.write(
      `${signal}: finishing ${plural(callsInFlight(), "call")} in flight (again to stop at once)`,
    );
    wish.resolve();
  });
  await wish.promise;
  await close();
}

/** Resolves at SIGINT or SIGTERM: for commands that have nothing to finish. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}
