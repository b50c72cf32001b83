import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Arena } from "../../chaos/arena.ts";
import { play } from "../../chaos/play.ts";

test("a scenario that overruns is ended with all its processes, starts no more, and has failed by name", async () => {
  let arena: Arena | undefined;
  const late = Promise.withResolvers<unknown>();
  const endless = {
    id: "F0",
    title: "never ends",
    play: async (given: Arena) => {
      arena = given;
      await given.openProvider();
      while (given.provider.process.alive) await delay(20);
      late.resolve(await Promise.try(() => given.work(1)).catch((error: unknown) => error));
      throw new Error("nobody waits for this");
    },
  };
  const report = await play(endless, { seed: 1, short: true, limitMs: 2_000 });
  expect(report).toMatchObject({ id: "F0", title: "never ends" });
  expect(report.faults[0]).toMatch(/took longer than 2 s and was ended/);
  expect(existsSync(arena!.folder)).toBe(false);
  expect(await late.promise).toMatchObject({ message: "the scenario has ended" });
});
