import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { readJournalOf, readRecords, readResults, sha256Of } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";

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
        await stage.settled(lines);
        expect(await redisListens(stage)).toBe(true);
        life.kill("SIGKILL");
        expect((await life.ended).signal).toBe("SIGKILL");
        await vi.waitFor(async () => expect(await redisListens(stage)).toBe(false), 5_000);
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

/** What has to be the same: with a seed of the run also the images themselves. */
function imagesOf(out: string, args: readonly string[]) {
  return readRecords(out, "images.jsonl").map(({ file_name, index, generation, sha256 }) => ({
    file_name,
    index,
    generation,
    sha256: args.includes("--seed") ? sha256 : null,
  }));
}
