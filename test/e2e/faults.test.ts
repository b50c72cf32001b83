import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AttemptRecord } from "../../shared/result.ts";
import { filesBelow, readJournalOf, readRecords, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";

const model = ["-m", "gpt-image-2"] as const;

describe.concurrent("a provider that goes wrong", () => {
  test("with errors, hangs and broken answers costs attempts, but no prompt and no image", async () => {
    await using stage = await openStage({
      latencyMs: 20,
      faults: { error500: 0.2, hang: 0.05, brokenBody: 0.05 },
      promptFaults: [
        { match: "prompt 3 ", fault: "error500", times: 1 },
        { match: "prompt 4 ", fault: "hang", times: 1 },
        { match: "prompt 5 ", fault: "brokenBody", times: 1 },
      ],
    });
    const dataset = stage.dataset(promptRows(30));
    const end = await stage.run(dataset, ...model, "-n", "2", "-c", "30", "--timeout", "1s");
    expect(end.summary).toMatchObject({
      state: "completed",
      images: 60,
      prompts: { succeeded: 30 },
    });
    expect(end.code).toBe(0);
    expect(end.summary.retries).toBeGreaterThanOrEqual(3);
    expect(end.summary.calls).toBe(stage.simulator.ledger.calls);
    expect(outcomesOf(stage, 3)).toEqual(expect.arrayContaining(["unavailable", "ok"]));
    expect(outcomesOf(stage, 4)).toEqual(expect.arrayContaining(["timeout", "ok"]));
    expect(outcomesOf(stage, 5).length).toBeGreaterThanOrEqual(2);
    const status500 = attemptsOf(stage).find(({ status }) => status === 500);
    expect(status500).toMatchObject({
      generations: [0, 1],
      outcome: "unavailable",
      sent: true,
      requestId: expect.stringMatching(/^req_/),
      message: expect.stringContaining("The server had an error"),
    });
    expect(status500!.endedAt).toBeGreaterThanOrEqual(status500!.startedAt);
  });

  test("with some prompts alone fails these, also where nothing else is left to ask it for", async () => {
    await using stage = await openStage({
      latencyMs: 20,
      promptFaults: [{ match: "bad", fault: "error500" }],
    });
    const rows = promptRows(64).map(({ prompt }, i) => ({
      prompt: i % 8 === 0 ? `bad ${prompt}` : prompt,
    }));
    const end = await stage.run(stage.dataset(rows), ...model, "--attempts", "2");
    expect(end.code).toBe(3);
    expect(end.summary.prompts).toMatchObject({ succeeded: 56, failed: 8 });
    expect(readRecords(stage.out, "failures.jsonl").map(({ index }) => index)).toEqual([
      0, 8, 16, 24, 32, 40, 48, 56,
    ]);
  });

  test("with all prompts that are in hand gets to the others, which show that it is there", async () => {
    await using stage = await openStage({
      latencyMs: 20,
      promptFaults: [{ match: "bad", fault: "error500" }],
    });
    const rows = promptRows(200).map(({ prompt }, i) => ({
      prompt: i >= 4 && i < 12 ? `bad ${prompt}` : prompt,
    }));
    const end = await stage.run(stage.dataset(rows), ...model, "-c", "4", "--attempts", "2");
    expect(end.code).toBe(3);
    expect(end.summary.prompts).toMatchObject({ succeeded: 192, failed: 8 });
  });

  test("by answering no call within --timeout stops the run after a few probes, which may all be charged", async () => {
    await using stage = await openStage({ latencyMs: 3_000 });
    const dataset = stage.dataset(promptRows(30));
    const end = await stage.run(dataset, ...model, "-c", "8", "--timeout", "200ms");
    expect(end.code).toBe(4);
    expect(end.summary).toMatchObject({ state: "stopped", images: 0, prompts: { failed: 0 } });
    expect(end.summary.reason).toMatch(
      /^timeout: no answer within 0.2 s.*no call has been answered.*give a longer --timeout/,
    );
    // Those that were in flight when the first was late, and the probes.
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(8 + 4);
    stage.simulator.settings.latencyMs = 20;
    const again = await stage.run(dataset, ...model, "--timeout", "10s");
    expect(again.code).toBe(0);
    expect(again.summary).toMatchObject({ state: "completed", images: 30 });
  });

  test("by refusing some prompts fails these alone, after one call each", async () => {
    await using stage = await openStage();
    const rows = promptRows(12).map(({ prompt }, i) =>
      i % 4 === 1 ? { prompt: `moderated ${prompt}` } : { prompt },
    );
    const end = await stage.run(stage.dataset(rows), ...model);
    expect(end.code).toBe(3);
    expect(end.summary.prompts).toMatchObject({ succeeded: 9, failed: 3 });
    expect(rows.map(({ prompt }) => stage.simulator.ledger.callsOf(prompt).length)).toEqual(
      Array(12).fill(1),
    );
    const failures = readRecords(stage.out, "failures.jsonl");
    expect(failures).toHaveLength(3);
    expect(failures[0]).toMatchObject({
      index: 1,
      state: "failed",
      missing: [0],
      failures: [{ kind: "content_policy", status: 400 }],
      attempt_count: 1,
    });
    expect(readResults(stage.out)[1]).toMatchObject({
      images: [null],
      generations: [{ images: [null] }],
    });
  });

  test("by refusing a parameter stops the run after 20 prompts, with exit code 4", async () => {
    await using stage = await openStage({ refuseParameter: "quality", latencyMs: 20 });
    const dataset = stage.dataset(promptRows(200));
    const end = await stage.run(dataset, ...model, "-p", "quality=low", "-c", "5");
    expect(end.code).toBe(4);
    expect(end.summary).toMatchObject({ state: "stopped", images: 0 });
    expect(end.summary.reason).toMatch(/first 20 prompts were all refused alike.*quality/);
    expect(stage.simulator.ledger.calls).toBe(20);
  });

  test("by being out of money stops the run, which goes on once there is some", async () => {
    await using stage = await openStage({ quotaAfterImages: 16, latencyMs: 30 });
    const { ledger, settings } = stage.simulator;
    const command = [stage.dataset(promptRows(40)), ...model, "-n", "2", "-c", "4"] as const;
    const stopped = await stage.run(...command);
    expect(stopped.code).toBe(4);
    expect(stopped.summary).toMatchObject({ state: "stopped", prompts: { failed: 0 } });
    expect(stopped.summary.reason).toMatch(/quota.*top up/);
    expect(stopped.summary.images).toBe(ledger.images);
    expect(ledger.images).toBeLessThan(80);
    settings.quotaAfterImages = null;
    const end = await stage.run(...command);
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 80 });
    expect(ledger.images).toBe(80);
  });
});

describe.concurrent("a key that the provider refuses", () => {
  // Short keys come back whole in the provider's message, long ones in part.
  test.each([{ key: "sk-wr0ng42" }, { key: "sk-proj-wr0ng-0123456789abcdef" }])(
    "($key) stops the run, fails no prompt, appears nowhere, and a right one finishes it",
    async ({ key }) => {
      const right = "sk-right-0123456789abcdef";
      await using stage = await openStage({ apiKey: right });
      const dataset = stage.dataset(promptRows(25));
      stage.env["OPENAI_API_KEY"] = key;
      const stopped = await stage.run(dataset, ...model);
      // How long the command took to start is none of it.
      const [refused] = stage.simulator.ledger.records();
      expect(Date.now() - refused!.endedAt!).toBeLessThan(10_000);
      expect(stopped.code).toBe(4);
      expect(stopped.summary).toMatchObject({
        state: "stopped",
        images: 0,
        prompts: { failed: 0, total: 0 },
      });
      expect(stopped.summary.reason).toMatch(/^auth: .*run the same command again/);
      // Calls that were refused count, though no prompt is settled by them.
      expect(stopped.summary.calls).toBe(stage.simulator.ledger.calls);
      expect(stopped.summary.calls).toBeGreaterThan(0);
      stage.env["OPENAI_API_KEY"] = right;
      const end = await stage.run(dataset, ...model);
      expect(end.code).toBe(0);
      expect(end.summary).toMatchObject({
        state: "completed",
        images: 25,
        prompts: { succeeded: 25 },
        calls: stage.simulator.ledger.calls,
      });
      const texts = [stopped, end].flatMap(({ stdout, stderr }) => [stdout, stderr]);
      for (const name of filesBelow(stage.out))
        texts.push(readFileSync(join(stage.out, name), "latin1"));
      for (const text of texts) {
        for (const secret of [key, right, stage.simulator.url]) expect(text).not.toContain(secret);
      }
    },
  );
});

describe.concurrent("a provider with limits", () => {
  test("slows the run down by its 429s, and they burn no attempt", async () => {
    await using stage = await openStage({
      imagesPerMinute: 20,
      limitWindowMs: 1_000,
      // Less than the calls that a lane begins with, however late they come one after the other.
      limitBurst: 0.1,
      retryAfter: "ms",
    });
    const dataset = stage.dataset(promptRows(50));
    const end = await stage.run(dataset, ...model, "--attempts", "1");
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 50, retries: 0 });
    const throttled = attemptsOf(stage).filter(({ outcome }) => outcome === "rate_limited");
    expect(throttled.length).toBeGreaterThan(0);
    expect(end.summary.throttled).toBe(throttled.length);
    expect(throttled.filter(({ burned, status }) => burned || status !== 429)).toEqual([]);
    expect(stage.simulator.ledger.images).toBe(50);
  });

  test("smaller than a call gets smaller calls, and the images of a prompt stay one group", async () => {
    await using stage = await openStage({
      imagesPerMinute: 5,
      limitWindowMs: 400,
      retryAfter: "ms",
    });
    const end = await stage.run(stage.dataset(promptRows(3)), ...model, "-n", "8");
    expect(end.code).toBe(0);
    const calls = [...stage.simulator.ledger.records()];
    const sizes = (status: number) =>
      calls.filter((call) => call.status === status).map(({ n }) => n);
    expect(sizes(429).filter((n) => n === 8).length).toBeGreaterThan(0);
    expect(sizes(429).filter((n) => n === 8).length).toBeLessThanOrEqual(3);
    expect(Math.max(...sizes(200))).toBe(5);
    expect(stage.simulator.ledger.images).toBe(24);
    const split = attemptsOf(stage).filter(({ outcome }) => outcome === "request_exceeds_limit");
    expect(split.length).toBeGreaterThan(0);
    expect(split.every(({ burned }) => !burned)).toBe(true);
    for (const { images, generations } of readResults(stage.out)) {
      expect(new Set(images).size).toBe(8);
      expect(generations).toEqual([{ images }]);
    }
  });
});

function attemptsOf(stage: Stage): AttemptRecord[] {
  return readJournalOf(stage.out).flatMap(({ attempts }) => attempts);
}

function outcomesOf(stage: Stage, index: number): string[] {
  const line = readJournalOf(stage.out).find((candidate) => candidate.index === index);
  return (line?.attempts ?? []).map(({ outcome }) => outcome);
}
