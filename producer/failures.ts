import type { FailureKind } from "../shared/failure.ts";
import { readJournal } from "../shared/journal-reader.ts";
import { normalizeMessage } from "../shared/normalize-message.ts";
import type { PromptFailure } from "../shared/result.ts";

/** Failures of a run that have the same kind and, but for numbers and ids, the same message. */
export interface FailureGroup {
  kind: FailureKind | "rejected";
  /** The message of one of them. */
  message: string;
  status: number | undefined;
  prompts: number;
  /** Indexes of the first few, in dataset order. */
  examples: number[];
}

const exampleCount = 5;

interface Loss {
  kind: FailureGroup["kind"];
  message: string;
  status?: number | undefined;
}

/** What is wrong with a run now, by cause, the most frequent first. Memory grows with the prompts that failed. */
export async function groupFailures(journal: string): Promise<FailureGroup[]> {
  const losses = new Map<number, readonly Loss[]>();
  for await (const { line } of readJournal(journal)) {
    if (line.rejected)
      losses.set(line.index, [{ kind: "rejected", message: line.rejected.reason }]);
    else if (line.failures.length > 0)
      losses.set(line.index, line.failures satisfies readonly PromptFailure[]);
    else losses.delete(line.index);
  }
  const groups = new Map<string, FailureGroup>();
  // In the journal they stand in the order in which they were settled.
  for (const [index, found] of [...losses].toSorted(([a], [b]) => a - b)) {
    const byCause = new Map(
      found.map((loss) => [`${loss.kind} ${normalizeMessage(loss.message)}`, loss]),
    );
    for (const [cause, { kind, message, status }] of byCause) {
      const group = groups.get(cause) ?? { kind, message, status, prompts: 0, examples: [] };
      group.prompts += 1;
      if (group.examples.length < exampleCount) group.examples.push(index);
      groups.set(cause, group);
    }
  }
  return [...groups.values()].toSorted((a, b) => b.prompts - a.prompts);
}
