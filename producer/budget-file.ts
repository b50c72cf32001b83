import { z } from "zod";
import type { MicroUsd } from "../shared/budget-ledger.ts";
import { stateFilesOf, type StateAt } from "../shared/state-files.ts";

/** `.imagemill/budget.json`: the most that the run can have spent, whatever became of Redis. */
const BudgetFile = z.object({
  v: z.literal(1),
  /** Of the ledger in Redis that goes with it; a ledger of another life is not believed. */
  life: z.string(),
  allowedMicroUsd: z.int().min(0),
});
type BudgetFile = z.infer<typeof BudgetFile>;

/** The name of the file among the run's state files. */
const fileName = "budget.json";

/** The budget file of a run; undefined where no life of the run had a budget. */
export async function readBudgetFile(at: StateAt): Promise<BudgetFile | undefined> {
  const text = await stateFilesOf(at).read(fileName);
  return text === undefined ? undefined : BudgetFile.parse(JSON.parse(text));
}

/** Writes the budget file; once it resolves, the disk has it. */
export async function writeBudgetFile(at: StateAt, life: string, allowed: MicroUsd): Promise<void> {
  const content: BudgetFile = { v: 1, life, allowedMicroUsd: allowed };
  await stateFilesOf(at).write(fileName, `${JSON.stringify(content)}\n`, { durable: true });
}
