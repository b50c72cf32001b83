import type { FailureKind } from "../shared/failure.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { normalizeMessage } from "../shared/normalize-message.ts";

/** What goes wrong in one way: attempts that failed and prompts that ended so. */
export interface ProblemGroup {
  /** Names the group in links: it is the same for the same problem. */
  key: string;
  kind: FailureKind | "rejected";
  status: number | undefined;
  /** The message of one of them, as it came. */
  message: string;
  /** Attempts that failed like this, or rows rejected. */
  attempts: number;
  /** Prompts that have fewer images than asked for because of this now. */
  prompts: number;
  firstAt: number;
  lastAt: number;
  /** The index of a prompt that it happened to. */
  example: number;
}

/** Beyond so many different messages the rest is counted together, so that memory stays flat. */
const mostGroups = 300;

/** Groups of problems by kind, status and normalised message. */
export class ProblemGroups {
  readonly #groups = new Map<string, ProblemGroup>();
  /** Groups that the prompts that lack images belong to. */
  readonly #lacking = new Map<number, readonly ProblemGroup[]>();

  /** Takes over a line of the journal, which replaces an earlier one of the same prompt. */
  add(line: JournalLine): void {
    for (const group of this.#lacking.get(line.index) ?? []) group.prompts -= 1;
    this.#lacking.delete(line.index);
    const { index, settledAt } = line;
    for (const { outcome, status, message = "", endedAt } of line.attempts)
      if (outcome !== "ok") this.#count({ kind: outcome, status, message, index, at: endedAt });
    const lost = new Set(
      line.failures.map(({ kind, status, message }) =>
        this.#group({ kind, status, message, index, at: settledAt }),
      ),
    );
    if (line.rejected) {
      const message = line.rejected.reason;
      lost.add(this.#count({ kind: "rejected", status: undefined, message, index, at: settledAt }));
    }
    if (lost.size === 0) return;
    for (const group of lost) group.prompts += 1;
    this.#lacking.set(index, [...lost]);
  }

  /** All groups, those that cost prompts first, then by how often they happened. */
  list(): ProblemGroup[] {
    return [...this.#groups.values()].toSorted(
      (a, b) => b.prompts - a.prompts || b.attempts - a.attempts,
    );
  }

  /** How many prompts that lack images now pass. */
  count(passes: (index: number, kinds: readonly ProblemGroup["kind"][]) => boolean): number {
    let count = 0;
    for (const [index, groups] of this.#lacking) {
      const kinds = groups.map(({ kind }) => kind);
      if (passes(index, kinds)) count += 1;
    }
    return count;
  }

  #count(problem: Problem): ProblemGroup {
    const group = this.#group(problem);
    group.attempts += 1;
    return group;
  }

  #group({ kind, status, message, index, at }: Problem): ProblemGroup {
    const exact = problemKey(kind, status, message);
    const isRoom = this.#groups.has(exact) || this.#groups.size < mostGroups;
    const key = isRoom ? exact : `${kind} other`;
    let group = this.#groups.get(key);
    if (!group) {
      group = {
        key,
        kind,
        status: isRoom ? status : undefined,
        message: isRoom ? message : "all other messages",
        attempts: 0,
        prompts: 0,
        firstAt: at,
        lastAt: at,
        example: index,
      };
      this.#groups.set(key, group);
    }
    group.firstAt = Math.min(group.firstAt, at);
    group.lastAt = Math.max(group.lastAt, at);
    return group;
  }
}

interface Problem {
  kind: ProblemGroup["kind"];
  status: number | undefined;
  message: string;
  index: number;
  at: number;
}

/** The same text for problems that differ only in numbers and ids. */
export function problemKey(kind: string, status: number | undefined, message: string): string {
  return `${kind} ${status ?? "-"} ${normalizeMessage(message)}`;
}
