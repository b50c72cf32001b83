import { describe, expect, test, vi } from "vitest";
import { readJournalOf, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

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

  test("by two signals ends at once, says how many calls it gave up, and can be resumed", async () => {
    await using stage = await openStage({ faults: { hang: 1 } });
    const command = [stage.dataset(promptRows(6)), "-m", "gpt-image-2", "-c", "3"] as const;
    const life = stage.start(...command);
    await vi.waitFor(() => expect(stage.simulator.ledger.inFlight).toBe(3), 10_000);
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
