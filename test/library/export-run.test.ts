import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportRun, type ExportOptions, UsageError } from "../../index.ts";
import { rejection } from "../worker/providers/provider-server.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { exportableRun, lineOfImages } from "../producer/export/exportable-run.ts";

/** A program that is not checked by a compiler may ask for anything. */
async function refusalOf(changes: object): Promise<{ error: unknown; leavesNothing: boolean }> {
  const to = join(temporaryFolder(), "export");
  const directory = exportableRun([lineOfImages(0)]);
  const asked: ExportOptions = { directory, format: "jsonl", to };
  const error = await rejection(exportRun({ ...asked, ...changes }));
  return { error, leavesNothing: !existsSync(to) && !existsSync(`${to}.partial`) };
}

test.each([
  [{ format: "zip" }, "option `format` of exportRun"],
  [{ shardBytes: 0 }, "option `shardBytes` of exportRun"],
  [{ shardBytes: Number.NaN }, "option `shardBytes` of exportRun"],
  [{ onprogress: () => undefined }, "did you mean `onProgress`"],
  [{ to: undefined }, "option `to` of exportRun"],
])("an export with %j is refused before anything is written", async (changes, message) => {
  const { error, leavesNothing } = await refusalOf(changes);
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(leavesNothing).toBe(true);
});

test("an export tells its progress and what it wrote", async () => {
  const images: number[] = [];
  const directory = exportableRun([lineOfImages(0), lineOfImages(1)]);
  const summary = await exportRun({
    directory,
    format: "jsonl",
    to: join(temporaryFolder(), "export"),
    onProgress: (progress) => images.push(progress.images),
  });
  expect(summary).toMatchObject({ format: "jsonl", images: 4, prompts: 2 });
  expect(images).toEqual([1, 2, 3, 4]);
});
