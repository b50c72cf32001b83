import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { readRecords } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import { parquetObjects, tarEntries } from "../producer/export/read-exports.ts";

const model = ["-m", "gpt-image-2"] as const;

test.concurrent("a run is exported while it goes on, and again when it is whole", async () => {
  await using stage = await openStage({ latencyMs: 100 });
  await using run = stage.start(stage.dataset(promptRows(60)), ...model, "--concurrency", "4");
  await stage.settled(8);
  // The run is far from its end until it is exported, however slowly that command starts.
  stage.simulator.settings.latencyMs = 5_000;
  const exportTo = (name: string, format: string) =>
    stage.cli("export", stage.out, "--format", format, "--to", name, "--json");
  const early = await exportTo("early", "jsonl");
  expect(run.alive).toBe(true);
  stage.simulator.settings.latencyMs = 0;
  expect(early.code).toBe(0);
  const { images } = z.object({ images: z.int() }).parse(early.json);
  expect(early.json).toMatchObject({ state: "unfinished", format: "jsonl", prompts: images });
  expect(images).toBeGreaterThanOrEqual(8);
  expect(images).toBeLessThan(60);
  expect(readRecords(join(stage.folder, "early"), "images.jsonl")).toHaveLength(images);
  expect((await run.ended).code).toBe(0);
  const whole = await exportTo("whole", "parquet");
  const to = join(stage.folder, "whole");
  expect(whole.json).toMatchObject({ state: "completed", to, images: 60, prompts: 60 });
  const rows = await parquetObjects(join(to, "data"), "train-00000-of-00001.parquet");
  expect(rows.map((row) => Number(row["index"]))).toEqual(promptRows(60).map((_, i) => i));
  const tars = await stage.cli("export", stage.out, "--format", "webdataset", "--to", "tars");
  expect(tars.stdout).toMatch(/^60 images \(.* [kM]B\) of 60 prompts as webdataset in .*\/tars\n$/);
  const entries = await tarEntries(join(stage.folder, "tars/data/train-00000-of-00001.tar"));
  expect(entries).toHaveLength(120);
});

test.concurrent("an export that cannot be ends with 2, one that something is in the way of with 4", async () => {
  await using stage = await openStage();
  expect((await stage.run(stage.dataset(promptRows(3)), ...model)).code).toBe(0);
  const exportRun = (...args: string[]) => stage.cli("export", stage.out, ...args);
  const unknown = await exportRun("--format", "parqet", "--to", "to");
  expect([unknown.code, unknown.stdout]).toEqual([2, ""]);
  expect(unknown.stderr).toContain("unknown format `parqet`, did you mean `parquet`?");
  expect((await exportRun("--format", "jsonl")).stderr).toContain("'--to <folder>' not specified");
  const file = "images/00000/00000001-0.png";
  rmSync(join(stage.out, file));
  const gone = await exportRun("--format", "imagefolder", "--to", "to");
  expect([gone.code, gone.stdout]).toEqual([4, ""]);
  expect(gone.stderr).toBe(
    `imagemill: ${file} is gone from ${stage.out}: \`imagemill resume ${stage.out}\` makes again what is gone\n`,
  );
  expect(existsSync(join(stage.folder, "to"))).toBe(false);
  expect((await stage.cli("resume", stage.out)).code).toBe(0);
  expect((await exportRun("--format", "imagefolder", "--to", "to")).code).toBe(0);
  expect(existsSync(join(stage.folder, "to", file))).toBe(true);
});
