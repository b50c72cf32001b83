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
  { line: `{"prompt": "${"x".repeat(32_001)}"}`, reason: /32001 characters.* takes 32000/ },
  { line: `{"prompt": "${"x".repeat(1_100_000)}"}`, reason: /at most 1,048,576 bytes/ },
  { line: `{"prompt": "deep", "x": ${"[".repeat(200)}${"]".repeat(200)}}`, reason: /nesting/ },
  { line: '{"prompt": "p", "settings": "{"}', reason: /column `settings` to be a JSON object/ },
  { line: '{"prompt": "p", "settings": [1]}', reason: /column `settings` to be a JSON object/ },
  { line: '{"prompt": "p", "settings": {"quality": "lou"}}', reason: /did you mean `low`/ },
  { line: '{"prompt": "p", "settings": {"n": 3}}', reason: /use -n/ },
  { line: '{"prompt": "p", "name": {"a": 1}}', reason: /id in column `name`/ },
];

describe.concurrent("rows that are no prompts", () => {
  test("are each in rejects.jsonl with their row, and the others are made", async () => {
    await using stage = await openStage();
    const dataset = join(stage.folder, "mixed.jsonl");
    const lines = [good, ...bad.flatMap(({ line }) => [line, good])];
    writeFileSync(dataset, Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")])));
    const columns = ["--params-column", "settings", "--id-column", "name"];
    const command = [dataset, "-m", "gpt-image-2", ...columns];
    // The first object has to have the named columns: rows after it may do without an id.
    lines[0] = JSON.stringify({ ...JSON.parse(good), name: "first" });
    writeFileSync(dataset, Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")])));
    const end = await stage.run(...(command as [string, ...string[]]));
    expect(end.summary).toMatchObject({
      state: "completed_with_failures",
      prompts: { total: 41, succeeded: 21, failed: 0, rejected: 20 },
      calls: 21,
    });
    expect(end.code).toBe(3);
    const rejects = readRecords<{ row: number; index: number; reason: string }>(join(stage.out, "rejects.jsonl"));
    expect(rejects.map(({ row }) => row)).toEqual(bad.map((_, i) => 2 * i + 2));
    for (const [i, { reason }] of bad.entries()) expect(rejects[i]!.reason).toMatch(reason);
    const states = readResults(stage.out).filter(({ state }) => state === "succeeded");
    expect(states.map(({ index }) => index)).toEqual(Array.from({ length: 21 }, (_, i) => 2 * i));

    const codes = await Promise.all(
      [["19"], ["20"], ["48%"], ["49%"]].map(async ([allowed]) => {
        await using other = await openStage();
        return other.folder && allowed;
      }),
    );
    expect(codes).toHaveLength(4);
  });
});
