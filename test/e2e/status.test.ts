import { expect, test, vi } from "vitest";
import { z } from "zod";
import { readJournalOf } from "../helpers/run-files.ts";
import { openStage, promptOfRow, promptRows } from "../helpers/stage.ts";

const Status = z.array(
  z.looseObject({
    retries: z.object({ waiting: z.int(), nextAt: z.number().nullable() }),
    runs: z.array(
      z.looseObject({
        progress: z.looseObject({ settled: z.int(), total: z.int(), isEstimate: z.boolean() }),
      }),
    ),
  }),
);

test("status tells how far a run with a Redis of its own is, and when the next retry is due", async () => {
  await using stage = await openStage({
    latencyMs: 200,
    promptFaults: [{ match: promptOfRow(0), fault: "error500" }],
  });
  stage.start(stage.dataset(promptRows(300)), "-m", "gpt-image-2", "-c", "2");
  await stage.settled(5);
  await vi.waitFor(
    async () => {
      const before = readJournalOf(stage.out).length;
      const [lane] = Status.parse((await stage.cli("status", stage.out, "--json")).json);
      expect(lane?.retries).toMatchObject({ waiting: 1, nextAt: expect.any(Number) });
      expect(lane?.runs[0]?.progress).toMatchObject({ total: 300, isEstimate: true });
      expect(lane?.runs[0]?.progress.settled).toBeGreaterThanOrEqual(before);
    },
    { timeout: 40_000 },
  );
  const { stdout } = await stage.cli("status", stage.out);
  expect(stdout).toMatch(/\d+ of about 300 prompts {2}\d+ images {2}\d+\.\d\/s/);
});
