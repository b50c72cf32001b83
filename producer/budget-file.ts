import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { MicroUsd } from "../shared/budget-ledger.ts";
import { hasCode } from "../shared/caught.ts";
import { stateFolder } from "../shared/run-file.ts";

/** `.imagemill/budget.json`: the most that the run can have spent, whatever became of Redis. */
export const BudgetFile = z.object({
  v: z.literal(1),
  /** Of the ledger in Redis that goes with it; a ledger of another life is not believed. */
  life: z.string(),
  allowedMicroUsd: z.int().min(0),
});
export type BudgetFile = z.infer<typeof BudgetFile>;

function pathOf(directory: string): string {
  return join(directory, stateFolder, "budget.json");
}

/** The budget file of a run directory; undefined where no life of the run had a budget. */
export async function readBudgetFile(directory: string): Promise<BudgetFile | undefined> {
  try {
    return BudgetFile.parse(JSON.parse(await readFile(pathOf(directory), "utf8")));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Writes the budget file; once it resolves, the disk has it. */
export async function writeBudgetFile(
  directory: string,
  life: string,
  allowed: MicroUsd,
): Promise<void> {
  const path = pathOf(directory);
  const content: BudgetFile = { v: 1, life, allowedMicroUsd: allowed };
  await using file = await open(`${path}.new`, "w");
  await file.writeFile(`${JSON.stringify(content)}\n`);
  await file.datasync();
  await rename(`${path}.new`, path);
}
