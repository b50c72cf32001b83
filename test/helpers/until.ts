import { vi } from "vitest";

/**
 * Waits for a state, and gives what the assertion gives. How soon it comes depends on the machine and is nothing that a test
 * says by this: the time limit is a little less than the one of a test, so that what is missing is reported, not the time.
 */
export function until<Value>(assertion: () => Value | Promise<Value>, lookAgainMs = 20) {
  return vi.waitFor(assertion, { timeout: 55_000, interval: lookAgainMs });
}
