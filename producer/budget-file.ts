import { z } from "zod";
import type { MicroUsd } from "../shared/budget-ledger.ts";
import { readState } from "../shared/read-state.ts";
import { stateFilesOf, type StateAt } from "../shared/state-files.ts";

/** Version of `budget.json`. */
const BUDGET_VERSION = 1;

/** `.imagemill/budget.json`: the most that the run can have spent, whatever became of Redis. */
const BudgetFile = z.object({
  v: z.literal(BUDGET_VERSION),
  /** Of the ledger in Redis that goes with it; a ledger of another life is not believed. */
  life: z.string(),
  allowedMicroUsd: z.int().min(0),
});
type BudgetFile = z.infer<typeof BudgetFile>;

/** The name of the file among the run's state files. */
const fileName = "budget.json";

/**
 * The budget file of a run; undefined where no life of the run had a budget.
 * @throws NewerVersionError where a newer version wrote it
 * @throws UsageError naming the file where it is damaged
 */
export async function readBudgetFile(at: StateAt): Promise<BudgetFile | undefined> {
  return await readState(at, fileName, {
    schema: BudgetFile,
    version: BUDGET_VERSION,
    damaged: (path, why) =>
      `${path} is damaged (${why}): bring it back from a copy, or remove it; then only what the journal tells of counts as spent`,
  });
}

/** Writes the budget file; once it resolves, the disk has it. */
export async function writeBudgetFile(at: StateAt, life: string, allowed: MicroUsd): Promise<void> {
  const content: BudgetFile = { v: BUDGET_VERSION, life, allowedMicroUsd: allowed };
  await stateFilesOf(at).write(fileName, `${JSON.stringify(content)}\n`, { durable: true });
}
