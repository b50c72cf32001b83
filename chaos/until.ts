import { setTimeout as delay } from "node:timers/promises";

const lookAgainMs = 25;

/**
 * Resolves with the first value that is not undefined or false.
 * @throws Error that says what was waited for, after `timeoutMs`
 */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  timeoutMs = 60_000,
): Promise<Value> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}`);
    await delay(lookAgainMs);
  }
}
