import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { RunSummary } from "../../shared/run-file.ts";
import { readResults } from "../helpers/run-files.ts";
import type { TestMill } from "../helpers/test-mill.ts";
import { until } from "../helpers/until.ts";

/** Checks that a run is whole: every prompt settled once, and its images in storage. */
export function expectWhole(
  mill: TestMill,
  summary: RunSummary,
  prompts: number,
  images = 1,
): void {
  expect(summary).toMatchObject({
    state: "completed",
    prompts: { total: prompts, succeeded: prompts, partial: 0, failed: 0, rejected: 0 },
    images: prompts * images,
  });
  const results = readResults(mill.out);
  expect(results.map(({ index }) => index)).toEqual(
    Array.from({ length: prompts }, (_, index) => index),
  );
  for (const { images: files } of results) {
    expect(files).toHaveLength(images);
    for (const file of files) expect(existsSync(join(mill.out, file!))).toBe(true);
  }
}

/** Waits until Redis has nothing of a run. */
export async function expectNothingInRedis(
  { redis, prefix, keys }: TestMill,
  run: string,
): Promise<void> {
  await until(async () =>
    expect((await redis.keys(`${prefix}:*`)).filter((key) => key.includes(run))).toEqual([]),
  );
  expect(await redis.hlen(keys.runs)).toBe(0);
}
