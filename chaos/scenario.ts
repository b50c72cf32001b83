import type { Arena } from "./arena.ts";
import type { Verdict } from "./judge.ts";

/** What a scenario found. */
export interface Finding {
  /** What the ledgers say of its run, or of all its runs together. */
  verdict: Verdict;
  /** Run directory whose journal tells the throughput. */
  out: string;
  /** Criteria of its own that did not hold, in words. */
  faults: string[];
  /** What else was measured, for the report. */
  note?: string;
}

/** One way to break things. */
export interface Scenario {
  /** As the table in docs/reliability.md names it. */
  id: string;
  title: string;
  /** It judges throughput, short times or memory: nothing else may be played beside it. */
  alone?: true;
  play(arena: Arena): Promise<Finding>;
}

/** The names of those expectations that do not hold. */
export function faultsOf(expectations: Record<string, boolean>): string[] {
  return Object.entries(expectations)
    .filter(([, holds]) => !holds)
    .map(([name]) => name);
}
