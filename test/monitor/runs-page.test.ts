import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startQuietMonitor } from "../helpers/quiet-monitor.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

test("a folder of many runs is shown a hundred at a time", async () => {
  const runs = temporaryFolder();
  for (let i = 0; i < 130; i++) {
    const state = join(runs, `run-${i}`, ".imagemill");
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, "run.json"), JSON.stringify(testRun()));
  }
  await using monitor = await startQuietMonitor({ roots: [runs], directories: [] });
  const namesOn = async (query: string) => {
    const page = await (await fetch(`${monitor.url}/${query}`)).text();
    return Array.from(page.matchAll(/>(run-\d+)</g), ([, name]) => name);
  };
  const [first, second] = [await namesOn(""), await namesOn("?page=2")];
  expect([first.length, second.length]).toEqual([100, 30]);
  expect(new Set([...first, ...second]).size).toBe(130);
  expect(await namesOn("?page=9")).toEqual(second);
});
