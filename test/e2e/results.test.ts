import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readJournalOf, readResults, sha256Of } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

describe.concurrent("what a run makes", () => {
  test("gpt-image-2 makes both images of a prompt in one call, and --json prints one object", async () => {
    await using stage = await openStage();
    const rows = promptRows(30);
    const end = await stage.run(stage.dataset(rows), "-m", "gpt-image-2", "-n", "2");
    expect(end.json).toStrictEqual({
      run: expect.stringMatching(/^[a-z2-7]{12}$/),
      state: "completed",
      out: stage.out,
      prompts: { total: 30, succeeded: 30, partial: 0, failed: 0, rejected: 0 },
      images: 60,
      calls: 30,
      retries: 0,
      throttled: 0,
      usage: {
        inputTokens: expect.any(Number),
        outputTokens: 60 * 1_756,
        totalTokens: expect.any(Number),
      },
      costUsd: stage.simulator.ledger.billUsd,
      seconds: expect.any(Number),
    });
    expect(end.stdout.trimEnd()).not.toContain("\n");
    expect(end.code).toBe(0);
    expect(stage.simulator.ledger.summary()).toMatchObject({ calls: 30, images: 60 });
    const expected = rows.map(({ prompt }, index) => {
      const images = [0, 1].map((i) => `images/00000/${String(index).padStart(8, "0")}-${i}.png`);
      const state = "succeeded";
      return { index, prompt, model_name: "gpt-image-2", state, images, generations: [{ images }] };
    });
    expect(readResults(stage.out)).toStrictEqual(expected);
    for (const { images } of readJournalOf(stage.out)) {
      for (const { file, sha256 } of images) expect(sha256Of(join(stage.out, file))).toBe(sha256);
    }
  });

  test("a run of one prompt speaks of one call, one image and one prompt", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(1));
    const end = await stage.cli("run", dataset, "-m", "gpt-image-2", "--out", stage.out);
    expect(end.stderr).toContain("1 call for 1 image of 1 prompt; ");
    expect(end.stdout).toContain("images    1 by 1 call, 0 retries, 0 throttled");
    const status = await stage.cli("status", stage.out);
    expect(status.stdout).toContain("1 prompt settled, 1 image ");
    expect([end.stdout, end.stderr, status.stdout].join("\n")).not.toMatch(/\b1 \w+s\b/);
  });

  test("dall-e-3 makes an image a call: three calls a prompt, grouped as three groups of one", async () => {
    await using stage = await openStage();
    const end = await stage.run(stage.dataset(promptRows(8)), "-m", "dall-e-3", "-n", "3");
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ images: 24, calls: 24, costUsd: 0.96 });
    const calls = [...stage.simulator.ledger.callsByPrompt().values()];
    expect(calls.map((prompt) => prompt.calls)).toEqual(Array(8).fill(3));
    for (const { images, generations } of readResults(stage.out)) {
      expect(generations).toEqual(images.map((file) => ({ images: [file] })));
      expect(new Set(images).size).toBe(3);
    }
    const revised = readJournalOf(stage.out).flatMap(({ images }) =>
      images.map((image) => image.revisedPrompt),
    );
    expect(revised).toHaveLength(24);
    expect(revised.every((text) => text?.startsWith("A detailed picture of prompt"))).toBe(true);
  });

  test("Hugging Face makes four different images of a prompt, by four seeds that are recorded", async () => {
    await using stage = await openStage();
    const model = "black-forest-labs/FLUX.1-schnell";
    const end = await stage.run(stage.dataset(promptRows(6)), "-m", model, "-n", "4");
    expect(end.code).toBe(0);
    const journal = readJournalOf(stage.out);
    expect(journal).toHaveLength(6);
    const sent = [...stage.simulator.ledger.records()].map(({ seed }) => seed);
    for (const { images } of journal) {
      const seeds = images.map(({ seed }) => seed);
      expect(new Set(seeds).size).toBe(4);
      expect(sent).toEqual(expect.arrayContaining(seeds));
      expect(new Set(images.map(({ file }) => sha256Of(join(stage.out, file)))).size).toBe(4);
    }
    expect(stage.simulator.ledger.calls).toBe(24);
  });

  test("25 images of gpt-image-2 are calls of 10, 10 and 5, and one group", async () => {
    await using stage = await openStage();
    const rows = promptRows(2);
    const end = await stage.run(stage.dataset(rows), "-m", "gpt-image-2", "-n", "25");
    expect(end.code).toBe(0);
    for (const { prompt } of rows) {
      const sizes = stage.simulator.ledger.callsOf(prompt).map(({ n }) => n);
      expect(sizes.toSorted((a, b) => b - a)).toEqual([10, 10, 5]);
    }
    for (const { images, generations } of readResults(stage.out)) {
      expect(new Set(images).size).toBe(25);
      expect(generations).toEqual([{ images }]);
    }
  });
});
