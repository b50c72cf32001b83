import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeRunFile, newRunId, readRunFile, runFilePath } from "../../shared/run-file.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

function folderWith(text: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, ".imagemill"));
  writeFileSync(runFilePath(folder), text);
  return folder;
}

describe("readRunFile", () => {
  test("is undefined where there is no run file, or no folder at all", async () => {
    const folder = temporaryFolder();
    expect(await readRunFile(folder)).toBeUndefined();
    expect(await readRunFile(join(folder, "none"))).toBeUndefined();
  });

  test("gives what was written", async () => {
    const run = testRun({ retryKinds: ["timeout"], limit: 7 });
    const folder = folderWith("");
    await writeRunFile(folder, run);
    expect(await readRunFile(folder)).toEqual(run);
  });

  test.each([
    ["is cut off", `{"v":1,"id":`],
    ["is of another version", JSON.stringify({ ...testRun(), v: 2 })],
    ["lacks a field", JSON.stringify({ ...testRun(), seed: undefined })],
  ])("rejects naming the file where it %s", async (_, text) => {
    const folder = folderWith(text);
    await expect(readRunFile(folder)).rejects.toThrow(runFilePath(folder));
  });

  test("names the fields that are wrong and what was expected there", async () => {
    const { source } = testRun();
    const wrong = { numGenerations: "evil", source: { ...source, format: "xml" } };
    const folder = folderWith(JSON.stringify({ ...testRun(), ...wrong }));
    await expect(readRunFile(folder)).rejects.toThrow(
      /`source\.format`: .*"jsonl".*; `numGenerations`: .*expected number, received string/,
    );
  });
});

describe("newRunId", () => {
  test("is twelve letters and digits that cannot be mistaken for each other, never twice the same", () => {
    const ids = Array.from({ length: 2_000 }, newRunId);
    expect(ids.every((id) => /^[a-z2-7]{12}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
