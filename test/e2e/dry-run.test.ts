import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { CliEnd } from "../helpers/cli.ts";
import { fingerprint } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const Estimate = z.object({
  dryRun: z.literal(true),
  prompts: z.int(),
  settled: z.int(),
  images: z.int(),
  calls: z.int(),
  rejected: z.int(),
  rejections: z.array(z.object({ row: z.int(), reason: z.string() })),
  costUsd: z.number().nullable(),
  costAtMostUsd: z.number().nullable(),
  tokens: z.int().nullable(),
  seconds: z.object({ atLeast: z.int(), atMost: z.int() }).nullable(),
});

function estimateOf(end: CliEnd) {
  if (end.code !== 0) throw new Error(`Expected exit code 0, got ${end.code}:\n${end.stderr}`);
  return Estimate.parse(end.json);
}

describe.concurrent("--dry-run", () => {
  test.for([
    ["dall-e-3", ["-p", "quality=hd", "-p", "size=1792x1024"], 24],
    ["gpt-image-2", ["-p", "quality=high", "-p", "size=1536x1024"], 12],
    ["gpt-image-1.5", ["-p", "quality=low", "--param-from", "size=shape"], 12],
  ] as const)("says what %s will cost within 5 % of the bill, by no call", async (one) => {
    const [model, parameters, calls] = one;
    await using stage = await openStage();
    const shape = ["1024x1024", "1024x1536", "1536x1024"];
    const dataset = stage.dataset(
      promptRows(12).map((row, i) => ({ ...row, shape: shape[i % 3], about: "things" })),
    );
    const args = ["-m", model, "-n", "2", ...parameters];
    const estimate = estimateOf(await stage.run(dataset, ...args, "--dry-run"));
    expect(stage.simulator.ledger.calls).toBe(0);
    expect(existsSync(stage.out)).toBe(false);
    expect(estimate).toMatchObject({ prompts: 12, images: 24, calls, settled: 0, rejected: 0 });
    const end = await stage.run(dataset, ...args);
    const { billUsd, calls: made } = stage.simulator.ledger.summary();
    expect({ code: end.code, calls: made }).toEqual({ code: 0, calls });
    expect(Math.abs(estimate.costUsd! / billUsd - 1)).toBeLessThan(0.05);
    expect(billUsd).toBeLessThanOrEqual(estimate.costAtMostUsd!);
    expect(end.summary.costUsd).toBeCloseTo(billUsd, 5);
    expect(end.stderr).toContain(`${calls} calls for 24 images of 12 prompts; about $`);
  });

  test("leaves out what is settled and what is rejected, and touches nothing", async () => {
    await using stage = await openStage();
    const rows = [...promptRows(6), { prompt: "" }, { prompt: "a fox", size: "7" }];
    const dataset = stage.dataset(rows);
    const args = ["-m", "dall-e-3", "--param-from", "size=size"];
    await stage.run(dataset, ...args, "--limit", "4");
    const before = fingerprint(stage.out);
    const estimate = estimateOf(await stage.run(dataset, ...args, "--dry-run"));
    expect(estimate).toMatchObject({ prompts: 2, settled: 4, images: 2, calls: 2, rejected: 2 });
    expect(estimate.rejections.map(({ row }) => row)).toEqual([7, 8]);
    expect(estimate.rejections[1]!.reason).toContain("expected 1024x1024");
    const more = estimateOf(await stage.run(dataset, ...args, "-n", "3", "--dry-run"));
    expect(more).toMatchObject({ prompts: 6, settled: 0, images: 14, calls: 14 });
    expect(fingerprint(stage.out)).toEqual(before);
    expect(stage.simulator.ledger.calls).toBe(4);
    const resumed = estimateOf(await stage.cli("resume", stage.out, "--dry-run", "--json"));
    expect(resumed).toMatchObject({ prompts: 0, settled: 4, calls: 0, costUsd: 0 });
  });

  test("needs no key and no Redis, and says what is not known", async () => {
    await using stage = await openStage();
    delete stage.env["OPENAI_BASE_URL"];
    delete stage.env["HF_BASE_URL"];
    const dataset = stage.dataset(promptRows(50));
    const dry = (...args: string[]) =>
      stage.cli("enqueue", dataset, "--dry-run", "--out", stage.out, ...args);
    const known = estimateOf(await dry("-m", "gpt-image-2", "--json"));
    expect(known.seconds).toEqual({ atLeast: 12, atMost: 600 });
    expect(known.costAtMostUsd!).toBeGreaterThan(2 * known.costUsd!);
    const limited = await dry("-m", "gpt-image-2", "--images-per-minute", "100", "--json");
    expect(estimateOf(limited).seconds).toEqual({ atLeast: 30, atMost: 30 });
    const low = ["-p", "quality=low", "-p", "size=1024x1024", "--tokens-per-minute", "1000"];
    const byTokens = estimateOf(await dry("-m", "gpt-image-2", ...low, "--json"));
    // 196 tokens an image, and a few of its prompt.
    expect(byTokens.tokens! / 50).toBeGreaterThan(196);
    expect(byTokens.tokens! / 50).toBeLessThan(206);
    const seconds = Math.ceil((byTokens.tokens! * 60) / 1_000);
    expect(byTokens.seconds).toEqual({ atLeast: seconds, atMost: seconds });
    const unknown = estimateOf(await dry("-m", "some/model", "--json"));
    expect(unknown).toMatchObject({ costUsd: null, tokens: null, seconds: null, calls: 50 });
    const told = await dry("-m", "some/model", "--price-per-image", "0.003");
    expect(told.stdout).toContain("about $0.15");
    expect(told.stdout).toContain("  time      not known: as long as one call takes");
    expect(told.stderr).toContain("some/model is not in the list of known models");
    expect((await dry("-m", "gpt-image-1")).code).toBe(2);
    expect(existsSync(join(stage.folder, "out"))).toBe(false);
  });
});

test("the bill of a run with broken answers lies between what it cost and what those may have cost on top", async () => {
  await using stage = await openStage({ faults: { brokenBody: 0.2, fewerImages: 0.2 } });
  const dataset = stage.dataset(promptRows(10));
  const end = await stage.run(dataset, "-m", "gpt-image-2", "-n", "3", "-p", "quality=low");
  expect(end.summary.images).toBe(30);
  expect(end.summary.costUsd).toBeGreaterThan(0);
  const { costUsd, mayCostUsd } = end.summary;
  const { billUsd } = stage.simulator.ledger;
  expect(billUsd).toBeGreaterThan(costUsd!);
  expect(billUsd).toBeLessThanOrEqual(costUsd! + mayCostUsd!);
});
