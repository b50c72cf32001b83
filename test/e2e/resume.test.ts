import { appendFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readRunFile } from "../../shared/run-file.ts";
import { fingerprint, readJournalOf, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";

const model = ["-m", "gpt-image-2"] as const;

describe.concurrent("a run that is started again", () => {
  test("after its end makes no call and changes no file", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(25));
    const first = await stage.run(dataset, ...model);
    expect(first.code).toBe(0);
    const before = fingerprint(stage.out);
    const again = await stage.run(dataset, ...model);
    expect(again.code).toBe(0);
    expect(again.json).toStrictEqual(first.json);
    expect(fingerprint(stage.out)).toStrictEqual(before);
    expect(stage.simulator.ledger.calls).toBe(25);
  });

  test("without its --limit does not make again what it had", async () => {
    await using stage = await openStage();
    const rows = promptRows(12);
    const dataset = stage.dataset(rows);
    const limited = await stage.run(dataset, ...model, "--limit", "5");
    expect(limited.summary).toMatchObject({ state: "completed", images: 5, prompts: { total: 5 } });
    expect(readResults(stage.out).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    const whole = await stage.run(dataset, ...model);
    expect(whole.summary).toMatchObject({ state: "completed", images: 12, prompts: { total: 12 } });
    expect(callsOf(stage, rows)).toEqual(Array(12).fill(1));
  });

  test("with more images a prompt buys only those that are missing", async () => {
    await using stage = await openStage();
    const { ledger } = stage.simulator;
    const dataset = stage.dataset(promptRows(6));
    const seeded = ["--provider", "huggingface", "--seed", "11"] as const;
    await stage.run(dataset, ...seeded, "-n", "2");
    const before = imagesByIndex(stage);
    const more = await stage.run(dataset, ...seeded, "-n", "4");
    expect(more.code).toBe(0);
    expect(more.summary).toMatchObject({ images: 24, calls: 24, prompts: { succeeded: 6 } });
    expect(ledger.calls).toBe(24);
    const after = imagesByIndex(stage);
    expect(before.size).toBe(6);
    for (const [index, images] of before) {
      expect(after.get(index)!.slice(0, 2)).toStrictEqual(images);
      expect(new Set(after.get(index)!.map(({ seed }) => seed)).size).toBe(4);
    }
  });

  test("without the --base-url of its simulator is refused, with it goes on there", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(4));
    const server = ["--base-url", `${stage.simulator.url}/v1`] as const;
    const given = ["--provider", "simulator", "--limit", "2"] as const;
    expect((await stage.run(dataset, ...given, ...server)).code).toBe(0);
    for (const command of ["resume", "retry"]) {
      const refused = await stage.cli(command, stage.out, "--limit", "4");
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("its --base-url") });
    }
    expect((await stage.run(dataset, ...given)).code).toBe(2);
    const end = await stage.cli("resume", stage.out, "--limit", "4", "--json", ...server);
    expect(end.summary).toMatchObject({ state: "completed", images: 4 });
    expect(stage.simulator.ledger.calls).toBe(4);
  });

  test("with the built-in simulator needs no --base-url, and is refused one", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(2));
    const given = ["--provider", "simulator", "--limit", "1"] as const;
    expect((await stage.run(dataset, ...given)).code).toBe(0);
    const other = ["--base-url", stage.simulator.url] as const;
    expect((await stage.cli("resume", stage.out, "--limit", "2", ...other)).code).toBe(2);
    const end = await stage.cli("resume", stage.out, "--limit", "2", "--json");
    expect(end.summary).toMatchObject({ state: "completed", images: 2 });
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("by `resume` may be asked for all that may change, keeps what is not given, and refuses less", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(6));
    const given = [
      "-m",
      "dall-e-3",
      "--limit",
      "4",
      "--attempts",
      "3",
      "--timeout",
      "50s",
    ] as const;
    await stage.run(dataset, ...given, "--requests-per-minute", "60000");
    const limits = ["--images-per-minute", "70000", "--tokens-per-minute", "80000"];
    const changes = ["-n", "2", "--limit", "5", "--timeout", "40s", ...limits];
    const more = await stage.cli("resume", stage.out, ...changes, "--json");
    expect(more.summary).toMatchObject({ state: "completed", images: 10, calls: 10 });
    expect(await readRunFile(stage.out)).toMatchObject({
      numGenerations: 2,
      limit: 5,
      attempts: 3,
      timeoutMs: 40_000,
      limits: { imagesPerMinute: 70_000, requestsPerMinute: 60_000, tokensPerMinute: 80_000 },
    });
    const less = await stage.cli("resume", stage.out, "-n", "1", "--limit", "3");
    expect(less.code).toBe(2);
    expect(less.stderr).toContain("images a prompt were 2, now 1 (may only grow)");
    expect(less.stderr).toContain("limit was 5, now 3 (may only grow)");
    const all = await stage.cli("resume", stage.out, "--limit", "all", "--max-cost", "1", "--json");
    expect(all.summary).toMatchObject({ images: 12, calls: 12, prompts: { total: 6 } });
    expect(await readRunFile(stage.out)).toMatchObject({ limit: null, maxCostUsd: 1 });
  });

  test("with more images a prompt keeps the details of those that it had", async () => {
    await using stage = await openStage();
    const rows = promptRows(5);
    const dataset = stage.dataset(rows);
    await stage.run(dataset, "-m", "dall-e-3", "-n", "2");
    const before = imagesByIndex(stage);
    const more = await stage.run(dataset, "-m", "dall-e-3", "-n", "4");
    expect(more.summary).toMatchObject({ images: 20, calls: 20, costUsd: 0.8 });
    expect(callsOf(stage, rows)).toEqual(Array(5).fill(4));
    for (const [index, images] of imagesByIndex(stage)) {
      expect(images.slice(0, 2)).toStrictEqual(before.get(index));
      expect(images.map(({ costUsd }) => costUsd)).toEqual([0.04, 0.04, 0.04, 0.04]);
      expect(images.every(({ revisedPrompt }) => revisedPrompt !== undefined)).toBe(true);
    }
  });

  test("with rows appended makes these, and nothing again", async () => {
    await using stage = await openStage();
    const rows = promptRows(10);
    const dataset = stage.dataset(rows.slice(0, 7));
    await stage.run(dataset, ...model);
    appendFileSync(
      dataset,
      rows
        .slice(7)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(""),
    );
    const end = await stage.run(dataset, ...model);
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ images: 10, prompts: { total: 10, succeeded: 10 } });
    expect(callsOf(stage, rows)).toEqual(Array(10).fill(1));
    expect(readResults(stage.out).map(({ prompt }) => prompt)).toEqual(
      rows.map((row) => row.prompt),
    );
  });

  test("with what may not change says what differs, and touches nothing", async () => {
    await using stage = await openStage();
    const rows = promptRows(5);
    const dataset = stage.dataset(rows);
    await stage.run(dataset, ...model, "-n", "2", "-p", "quality=low");
    const before = fingerprint(stage.out);
    const refuse = async (args: readonly string[], ...words: string[]) => {
      const end = await stage.run(dataset, ...args);
      for (const word of words) expect(end.stderr).toContain(word);
      expect(end).toMatchObject({ code: 2, stdout: "" });
      expect(fingerprint(stage.out)).toStrictEqual(before);
    };
    const same = [...model, "-n", "2", "-p", "quality=low"];
    await refuse(
      ["-m", "gpt-image-1", "-n", "2", "-p", "quality=low"],
      "model was gpt-image-2, now gpt-image-1",
    );
    await refuse(
      [...model, "-n", "1", "-p", "quality=high"],
      '"quality":"low"',
      '"quality":"high"',
      "images a prompt were 2, now 1",
    );
    stage.dataset([...rows.slice(0, 2), { prompt: "another prompt" }, ...rows.slice(3)]);
    await refuse(same, `row 3 of ${dataset} has changed`);
    stage.dataset(rows.slice(0, 4));
    await refuse(same, `${dataset} has 4 rows, but this run has read 5`);
    expect(stage.simulator.ledger.calls).toBe(5);
  });
});

function callsOf(stage: Stage, rows: readonly { prompt: string }[]): number[] {
  return rows.map(({ prompt }) => stage.simulator.ledger.callsOf(prompt).length);
}

/** The images of each prompt, by the journal's last line of it. */
function imagesByIndex(stage: Stage) {
  return new Map(readJournalOf(stage.out).map(({ index, images }) => [index, images]));
}
