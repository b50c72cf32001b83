import { describe, expect, test } from "vitest";
import { resumedRun, type RunSettings } from "../../producer/run-settings.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { testRun } from "../helpers/test-run.ts";

const then = testRun({
  numGenerations: 2,
  limit: 100,
  parameters: { size: "512x512" },
  source: {
    path: "/data/p.jsonl",
    format: "jsonl",
    promptColumn: "prompt",
    idColumn: "id",
    paramsColumn: "params",
    paramFrom: { size: "size" },
  },
});

function now(changes: Partial<RunSettings> = {}): RunSettings {
  const { source, profile, model, parameters, numGenerations, maxGenerationsPerCall } = then;
  const { limit, attempts, maxCostUsd, pricePerImageUsd, timeoutMs, durable } = then;
  const same = { source, profile, model, parameters, numGenerations, maxGenerationsPerCall };
  const prices = { maxCostUsd, pricePerImageUsd };
  return { ...same, ...prices, limit, attempts, timeoutMs, durable, ...changes };
}

function refusal(changes: Partial<RunSettings>): string {
  try {
    resumedRun(then, now(changes), "/out");
  } catch (error) {
    return error instanceof UsageError ? error.message : `not a UsageError: ${String(error)}`;
  }
  return "taken";
}

describe("resumedRun", () => {
  test("with the same settings is the run as it was", () => {
    expect(resumedRun(then, now(), "/out")).toEqual(then);
    expect(resumedRun(then, now({ seed: then.seed }), "/out")).toEqual(then);
  });

  test.each<Partial<RunSettings>>([
    { numGenerations: 3 },
    { maxGenerationsPerCall: 4 },
    { limit: 101 },
    { limit: null },
    { attempts: 1 },
    { timeoutMs: 5 },
    { durable: true },
  ])("takes %o over, and nothing else changes", (change) => {
    expect(resumedRun(then, now(change), "/out")).toEqual({ ...then, ...change });
  });

  test.each<[string, Partial<RunSettings>]>([
    [
      "dataset was /data/p.jsonl, now /data/q.jsonl",
      { source: { ...then.source, path: "/data/q.jsonl" } },
    ],
    ["format was jsonl, now json", { source: { ...then.source, format: "json" } }],
    ["prompt column was prompt, now text", { source: { ...then.source, promptColumn: "text" } }],
    ["id column was id, now key", { source: { ...then.source, idColumn: "key" } }],
    ["parameters column was params, now null", { source: withoutParams() }],
    [
      `parameters from columns was {"size":"size"}, now {}`,
      { source: { ...then.source, paramFrom: {} } },
    ],
    ["provider was test, now other", { profile: { ...then.profile, name: "other" } }],
    [
      "base URL (by its hash) was 00000000, now 11111111",
      { profile: { ...then.profile, hash: "11111111" } },
    ],
    ["model was imagemill-sim-1, now dall-e-3", { model: "dall-e-3" }],
    [`parameters was {"size":"512x512"}, now {"size":"64x64"}`, { parameters: { size: "64x64" } }],
    ["seed was 42, now 43", { seed: 43 }],
    ["images a prompt were 2, now 1 (may only grow)", { numGenerations: 1 }],
    ["limit was 100, now 99 (may only grow)", { limit: 99 }],
  ])("refuses: %s", (words, change) => {
    const message = refusal(change);
    expect(message).toContain(words);
    expect(message).toContain(`/out holds run ${then.id}`);
    expect(message).toContain("--out");
  });

  test("names everything that differs at once", () => {
    const message = refusal({ model: "dall-e-3", seed: 1, numGenerations: 1 });
    for (const name of ["model was", "seed was", "images a prompt were"])
      expect(message).toContain(name);
    expect(message).not.toContain("limit was");
  });

  test("does not mind the order of parameters", () => {
    const run = testRun({ parameters: { a: 1, b: 2 } });
    expect(resumedRun(run, { ...run, parameters: { b: 2, a: 1 } }, "/out").parameters).toEqual({
      a: 1,
      b: 2,
    });
  });
});

function withoutParams(): RunSettings["source"] {
  const { paramsColumn: _, ...source } = then.source;
  return source;
}
