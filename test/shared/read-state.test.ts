import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readBudgetFile, writeBudgetFile } from "../../producer/budget-file.ts";
import { acquireRunLock } from "../../producer/run-lock.ts";
import { messageOf } from "../../shared/caught.ts";
import { NewerVersionError } from "../../shared/newer-version.ts";
import { readSteering } from "../../shared/steering.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

/** A run directory with one state file in it. */
function directoryWith(name: string, text: string): string {
  const directory = temporaryFolder();
  const state = join(directory, ".imagemill");
  mkdirSync(state);
  writeFileSync(join(state, name), text);
  return directory;
}

const readers = [
  { name: "steering.json", read: readSteering, advice: /steering\.json cannot be read: remove it/ },
  { name: "budget.json", read: readBudgetFile, advice: /budget\.json is damaged \(.*or remove it/ },
  { name: "run.lock", read: acquireRunLock, advice: /run\.lock is not a lock file.*: remove it/ },
];

describe.each(readers)("a damaged $name", ({ name, read, advice }) => {
  test.each(["", '{"v":1', "{}", "null"])(
    "such as `%s` is a mistake to mend, and no bug",
    async (text) => {
      const error = await read(directoryWith(name, text)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(messageOf(error)).toMatch(advice);
    },
  );
});

test("a budget of a newer version is refused as such", async () => {
  const text = JSON.stringify({ v: 2, life: "life", allowedMicroUsd: 1 });
  await expect(readBudgetFile(directoryWith("budget.json", text))).rejects.toThrow(
    NewerVersionError,
  );
});

test("a budget is read as it was written", async () => {
  const directory = directoryWith("run.json", "{}");
  await writeBudgetFile(directory, "life", 290_000);
  expect(await readBudgetFile(directory)).toEqual({
    v: 1,
    life: "life",
    allowedMicroUsd: 290_000,
  });
});
