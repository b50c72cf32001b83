import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRun, surveyRun } from "../../index.ts";
import { hasCode } from "../../shared/caught.ts";
import { s3Options } from "../helpers/s3-server.ts";
import { openTestServer, testLocation } from "../helpers/s3-stores.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { exportableRun, lineOfImages } from "../producer/export/exportable-run.ts";
import { until } from "../helpers/until.ts";

/** The files below a folder that this process has open. */
function openFilesBelow(folder: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(`${folder}/`) ? path : [];
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
  });
}

test("asking about a run that would be refused leaves none of its files open", async () => {
  const path = join(temporaryFolder(), "prompts.jsonl");
  const source = { path, format: "jsonl", promptColumn: "prompt", paramFrom: {} } as const;
  const out = exportableRun([lineOfImages(0)], { source });
  writeFileSync(join(out, ".imagemill", "rows.bin"), Buffer.alloc(8));
  writeFileSync(path, '{ "prompt": "another one" }\n');
  await expect(surveyRun({ out })).rejects.toThrow(`row 1 of ${path} has changed`);
  expect(openFilesBelow(out)).toEqual([]);
});

test("a run in a bucket that is asked for wrongly leaves no connection open", async () => {
  const server = await openTestServer();
  const cacheFolder = temporaryFolder();
  const asked = { out: testLocation, s3: s3Options(server), cacheFolder, source: ["a fox"] };
  const opening = openRun({ ...asked, redis: "redis://localhost:1" });
  await expect(opening).rejects.toThrow("holds no run yet: give `provider`");
  expect(server.requests).not.toEqual([]);
  await until(async () => expect(await server.connections()).toBe(0));
});
