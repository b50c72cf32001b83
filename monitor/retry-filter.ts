import { createHash } from "node:crypto";
import { problemKey } from "./problem-groups.ts";
import type { SeenLane } from "./queue-sources.ts";
import type { WaitingRetry } from "./retries.ts";

/** Which waiting retries are meant; what is left out matches all. */
export interface RetryFilter {
  run?: string;
  kind?: string;
  /** A {@link groupId}. */
  group?: string;
  job?: string;
}

const names = ["run", "kind", "group", "job"] as const;

/** Reads a filter from a query or a form. */
export function readFilter(get: (name: string) => string | null | undefined): RetryFilter {
  const filter: RetryFilter = {};
  for (const name of names) {
    const value = get(name);
    if (value) filter[name] = value;
  }
  return filter;
}

/** The retries that a filter means. */
export function matching(retries: readonly WaitingRetry[], filter: RetryFilter): WaitingRetry[] {
  return retries.filter(
    (retry) =>
      (filter.run === undefined || retry.run === filter.run) &&
      (filter.job === undefined || retry.job === filter.job) &&
      (filter.kind === undefined || retry.attempts.at(-1)!.outcome === filter.kind) &&
      (filter.group === undefined || groupId(retry) === filter.group),
  );
}

/** The same short text for retries whose last attempt failed alike. */
function groupId(retry: WaitingRetry): string {
  const { outcome, status, message = "" } = retry.attempts.at(-1)!;
  const key = problemKey(outcome, status, message);
  return createHash("sha256").update(key).digest("hex").slice(0, 10);
}

/** Retries whose last attempt failed alike. */
export interface RetryGroup {
  id: string;
  example: WaitingRetry;
  count: number;
  firstAt: number;
  lastAt: number;
}

/** Groups retries by what went wrong last, the most frequent first. */
export function groupRetries(retries: readonly WaitingRetry[]): RetryGroup[] {
  const groups = Array.from(Map.groupBy(retries, groupId), ([id, members]) => {
    const times = members.map((member) => member.attempts.at(-1)!.endedAt);
    return {
      id,
      example: members[0]!,
      count: members.length,
      firstAt: Math.min(...times),
      lastAt: Math.max(...times),
    };
  });
  return groups.toSorted((a, b) => b.count - a.count);
}

/** Lets delayed jobs be tried at once instead of when they are due. Gives how many there were to hurry. */
export async function tryNow(lanes: readonly SeenLane[], filter: RetryFilter): Promise<number> {
  let moved = 0;
  for (const { view } of lanes) {
    const { retries } = await view.retries();
    const delayed = matching(retries, filter).filter(({ state }) => state === "delayed");
    const results = await Promise.all(delayed.map(({ job }) => view.promote(job)));
    moved += results.filter((isMoved) => isMoved).length;
  }
  return moved;
}
