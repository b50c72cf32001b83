import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { readJournalOf, readRecords, readResults, sha256Of } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const concurrency = 4;
const rows = promptRows(40);
const cases = [
  { name: "calls of two images", args: ["-m", "gpt-image-2", "-n", "2"], callsNeeded: 40 },
  {
    name: "sub-jobs of one image",
    args: ["--provider", "huggingface", "-n", "3", "--seed", "7"],
    callsNeeded: 120,
  },
];

/** Whether anything listens at the socket of the run's own Redis. */
async function redisListens(stage: Stage): Promise<boolean> {
  const socket = connect(join(stage.out, ".imagemill", "redis", "redis.sock"));
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe.concurrent("a run whose process is killed", () => {
  test.each(cases)(
    "twice in the middle of $name comes to what an undisturbed run comes to",
    async ({ args, callsNeeded }) => {
      await using stage = await openStage({ latencyMs: 60, jitter: 0.5 });
      await using other = await openStage();
      const undisturbed = other.run(other.dataset(rows), ...args);
      const { ledger } = stage.simulator;
      const dataset = stage.dataset(rows);
      const command = [dataset, ...args, "-c", String(concurrency)] as const;
      for (const lines of [8, 20]) {
        const life = stage.start(...command);
        await stage.settled(readJournalOf(stage.out).length + 1);
        expect(await redisListens(stage)).toBe(true);
        await stage.settled(lines);
        life.kill("SIGKILL");
        expect((await life.ended).signal).toBe("SIGKILL");
        await until(async () => expect(await redisListens(stage)).toBe(false));
      }
      const killedAt = readJournalOf(stage.out).length;
      expect(killedAt).toBeLessThan(rows.length);
      const end = await stage.run(...command);
      expect(end.code).toBe(0);
      expect(end.summary.prompts).toMatchObject({ total: 40, succeeded: 40 });

      const journal = readJournalOf(stage.out);
      expect(journal.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
        rows.map((_, index) => index),
      );
      expect(ledger.calls).toBeGreaterThanOrEqual(callsNeeded);
      expect(ledger.calls).toBeLessThanOrEqual(callsNeeded + 2 * concurrency);
      for (const { images } of journal) {
        for (const { file, sha256 } of images) expect(sha256Of(join(stage.out, file))).toBe(sha256);
      }
      expect((await undisturbed).code).toBe(0);
      expect(readResults(stage.out)).toStrictEqual(readResults(other.out));
      expect(imagesOf(stage.out, args)).toStrictEqual(imagesOf(other.out, args));
    },
  );
});

const codes = [
  { signal: "SIGINT", code: 130 },
  { signal: "SIGTERM", code: 143 },
] as const;

describe.concurrent("a run that is interrupted", () => {
  test.each(codes)(
    "by $signal ends with $code, gives no call up, and goes on without buying twice",
    async ({ signal, code }) => {
      await using stage = await openStage({ latencyMs: 200 });
      const { ledger } = stage.simulator;
      const command = [stage.dataset(promptRows(30)), "-m", "gpt-image-2", "-c", "4"] as const;
      const life = stage.start(...command);
      await stage.settled(5);
      life.kill(signal);
      const end = await life.ended;
      expect(end).toMatchObject({ code, signal: null });
      expect(end.summary.state).toBe("stopped");
      expect(end.summary.reason).toContain(`interrupted by ${signal}`);
      expect(ledger.inFlight).toBe(0);
      expect([...ledger.records()].filter(({ clientGone }) => clientGone)).toEqual([]);
      expect(readJournalOf(stage.out)).toHaveLength(ledger.calls);
      expect(end.summary).toMatchObject({ images: ledger.images, calls: ledger.calls });
      expect(readResults(stage.out)).toHaveLength(ledger.calls);
      expect(ledger.calls).toBeLessThan(30);

      const again = await stage.run(...command);
      expect(again.code).toBe(0);
      expect(again.summary).toMatchObject({ state: "completed", images: 30, calls: 30 });
      expect(ledger.summary()).toMatchObject({ calls: 30, images: 30 });
    },
  );

  test("in the middle of sub-jobs counts every call that was sent, once", async () => {
    await using stage = await openStage({ latencyMs: 100, jitter: 0.5 });
    const { ledger } = stage.simulator;
    const command = [
      stage.dataset(promptRows(20)),
      "-m",
      "dall-e-3",
      "-n",
      "3",
      "-c",
      "4",
    ] as const;
    for (const lines of [3, 8]) {
      const life = stage.start(...command);
      await stage.settled(lines);
      life.kill("SIGINT");
      const { code, summary } = await life.ended;
      expect(code).toBe(130);
      expect(summary.calls).toBe(ledger.calls);
    }
    const end = await stage.run(...command);
    expect(end.summary).toMatchObject({ state: "completed", images: 60, calls: 60 });
    expect(ledger.calls).toBe(60);
  });

  test("by two signals ends at once, says how many calls it gave up, and can be resumed", async () => {
    await using stage = await openStage({ faults: { hang: 1 } });
    const command = [stage.dataset(promptRows(6)), "-m", "gpt-image-2", "-c", "3"] as const;
    const life = stage.start(...command);
    await until(() => expect(stage.simulator.ledger.inFlight).toBe(3));
    // A signal that comes right behind another counts as the same: it is sent until it is heard twice.
    const hear = () => {
      life.kill("SIGINT");
      expect(life.alive).toBe(false);
    };
    await vi.waitFor(hear, { timeout: 5_000, interval: 100 });
    const end = await life.ended;
    expect(end.code).toBe(130);
    expect(end.stderr).toContain("SIGINT: finishing 3 calls in flight");
    expect(end.stderr).toContain(
      "3 calls in flight were given up and may be charged a second time",
    );

    stage.simulator.settings.faults = {};
    const again = await stage.run(...command);
    expect(again.code).toBe(0);
    expect(again.summary).toMatchObject({ state: "completed", images: 6 });
  });
});

/** What has to be the same: with a seed of the run also the images themselves. */
function imagesOf(out: string, args: readonly string[]) {
  return readRecords(out, "images.jsonl").map(({ file_name, index, generation, sha256 }) => ({
    file_name,
    index,
    generation,
    sha256: args.includes("--seed") ? sha256 : null,
  }));
}
