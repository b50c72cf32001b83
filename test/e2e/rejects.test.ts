import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRecords, readResults } from "../helpers/run-files.ts";
import { openStage } from "../helpers/stage.ts";

const good = JSON.stringify({ prompt: "a good prompt", settings: { quality: "low" } });

/** Lines that are no prompts, each with a part of the reason why. */
const bad: readonly { line: string | Buffer; reason: RegExp }[] = [
  { line: '{"prompt": "cut off', reason: /expected JSON/ },
  { line: "[1, 2]", reason: /got an array/ },
  { line: "42", reason: /got the number `42`/ },
  { line: "null", reason: /got null/ },
  { line: '{"text": "under another name"}', reason: /column `prompt` to be text, got no value/ },
  { line: '{"prompt": null}', reason: /got null/ },
  { line: '{"prompt": 7}', reason: /got the number `7`/ },
  { line: '{"prompt": ["a"]}', reason: /got an array/ },
  { line: '{"prompt": ""}', reason: /an empty text/ },
  { line: '{"prompt": " \\t\\n"}', reason: /only white space/ },
  { line: '{"prompt": "half \\ud83d"}', reason: /lone surrogate/ },
  { line: Buffer.from([...Buffer.from('{"prompt": "'), 0xff, 0x22, 0x7d]), reason: /UTF-8/ },
  {
    line: `{"prompt": "${"x".repeat(199)}😀${"x".repeat(31_801)}"}`,
    reason: /32001 characters.* takes 32000/,
  },
  { line: `{"prompt": "${"x".repeat(1_100_000)}"}`, reason: /at most 1,048,576 bytes/ },
  { line: `{"prompt": "deep", "x": ${"[".repeat(200)}${"]".repeat(200)}}`, reason: /nesting/ },
  { line: '{"prompt": "p", "settings": "{"}', reason: /column `settings` to be a JSON object/ },
  { line: '{"prompt": "p", "settings": [1]}', reason: /column `settings` to be a JSON object/ },
  { line: '{"prompt": "p", "settings": {"quality": "lou"}}', reason: /did you mean `low`/ },
  { line: '{"prompt": "p", "settings": {"n": 3}}', reason: /use -n/ },
  { line: '{"prompt": "p", "name": {"a": 1}}', reason: /id in column `name`/ },
];

/** The first object has to have every named column; the rows behind it may do without an id. */
const first = JSON.stringify({ prompt: "a good prompt", name: "first", settings: {} });

describe("rows that are no prompts", () => {
  test("are each in rejects.jsonl with their row; the others are made; the exit code is 3 unless allowed", async () => {
    await using stage = await openStage();
    const dataset = join(stage.folder, "mixed.jsonl");
    const lines = ["", first, ...bad.flatMap(({ line }) => [line, good])];
    const bytes = lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]);
    writeFileSync(dataset, Buffer.concat(bytes));
    const columns = ["--params-column", "settings", "--id-column", "name"];
    const run = (...args: string[]) => stage.run(dataset, "-m", "gpt-image-2", ...columns, ...args);
    const end = await run();
    expect(end.summary).toMatchObject({
      state: "completed_with_failures",
      prompts: { total: 41, succeeded: 21, partial: 0, failed: 0, rejected: 20 },
      images: 21,
      calls: 21,
    });
    expect(end.code).toBe(3);

    const rejects = readRecords(stage.out, "rejects.jsonl");
    expect(rejects.map(({ row }) => row)).toEqual(bad.map((_, i) => 2 * i + 2));
    expect(rejects.map(({ line }) => line)).toEqual(bad.map((_, i) => 2 * i + 3));
    for (const [i, { reason }] of bad.entries()) expect(rejects[i]!.reason).toMatch(reason);
    expect(rejects.filter(({ raw }) => !String(raw).isWellFormed())).toEqual([]);
    const made = readResults(stage.out).filter(({ state }) => state === "succeeded");
    expect(made.map(({ index }) => index)).toEqual(Array.from({ length: 21 }, (_, i) => 2 * i));

    const allowed = { "19": 3, "20": 0, "48%": 3, "49%": 0 };
    for (const [most, code] of Object.entries(allowed)) {
      expect([most, (await run("--allow-failures", most)).code]).toEqual([most, code]);
    }
    expect(stage.simulator.ledger.calls).toBe(21);
  });
});
