import type { RunIndex } from "./run-index.ts";
import type { SeriesName } from "./time-series.ts";

/** What the charts draw: a value for each time, in seconds since 1970. */
export interface SeriesReply {
  intervalMs: number;
  times: number[];
  images: number[];
  inFlight: number[];
  retries: number[];
  throttled: number[];
}

/** Most points of a chart: more than it has pixels for on a phone, few enough to be small. */
const mostPoints = 240;

/** A run's time series as rates. `untilMs`: up to now where the run is under way, so that a standstill shows. */
export function seriesReply(index: RunIndex | undefined, untilMs: number | undefined): SeriesReply {
  const { times, sums } = index?.series.until(untilMs) ?? { times: [], sums: undefined };
  const step = Math.max(1, Math.ceil(times.length / mostPoints));
  const intervalMs = (index?.series.intervalMs ?? 0) * step;
  const per = (name: SeriesName, unitMs: number) =>
    summed(sums?.[name] ?? [], step).map((sum) => (sum * unitMs) / intervalMs);
  return {
    intervalMs,
    times: times.filter((_, i) => i % step === 0),
    images: per("images", 1_000),
    inFlight: per("callMs", 1),
    retries: per("retries", 60_000),
    throttled: per("throttled", 60_000),
  };
}

function summed(values: readonly number[], step: number): number[] {
  return Array.from({ length: Math.ceil(values.length / step) }, (_, i) =>
    values.slice(i * step, (i + 1) * step).reduce((sum, value) => sum + value, 0),
  );
}
