import { readJournalOf } from "../test/helpers/run-files.ts";
import type { Call } from "./provider.ts";

/** Recovery times in seconds. */
export interface Recovery {
  p50: number;
  p95: number;
  max: number;
}

/**
 * How long it took until work went on after each breakage: the time to the next call that the provider answered and
 * whose prompt had a call cut off before, or, where none was cut off, to the next call at all.
 */
export function recoveryOf(
  broken: readonly number[],
  calls: readonly Call[],
): Recovery | undefined {
  const cutOff = calls.filter(({ clientGone }) => clientGone);
  const times =
    cutOff.length > 0
      ? cutOff.flatMap((gone) =>
          secondsUntil(gone.endedAt ?? gone.startedAt, callsAgain(gone, calls)),
        )
      : broken.flatMap((at) => secondsUntil(at, calls));
  if (times.length === 0) return undefined;
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), max: times.at(-1)! };
}

function callsAgain(gone: Call, calls: readonly Call[]): Call[] {
  return calls.filter(({ promptHash }) => promptHash === gone.promptHash);
}

function secondsUntil(at: number, calls: readonly Call[]): number[] {
  const next = calls.find(({ startedAt }) => startedAt > at);
  return next ? [(next.startedAt - at) / 1000] : [];
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Prompts settled per second while things were being broken, and after the last of it. */
export function throughputOf(
  out: string,
  broken: readonly number[],
): { during: number; after: number } | undefined {
  const times = readJournalOf(out).map(({ settledAt }) => settledAt);
  const [first, last] = [broken[0], broken.at(-1)];
  const end = times.at(-1);
  if (first === undefined || last === undefined || end === undefined) return undefined;
  const perSecond = (from: number, to: number) =>
    to <= from ? 0 : times.filter((at) => at >= from && at < to).length / ((to - from) / 1000);
  return { during: perSecond(first, last), after: perSecond(last, end) };
}
