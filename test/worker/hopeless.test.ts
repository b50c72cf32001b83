import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { type CallWatch, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const attempts = 2;

/** The first call finds nobody, so that the provider is away at once; the provider takes all others, which are counted. */
function awayAtFirst(onSent: (sent: number) => Promise<void> | void = () => {}): CallWatch {
  let sent = -1;
  return {
    before: async () => {
      sent += 1;
      if (sent === 0) throw new ProviderError("unavailable", "nobody is there", { sent: false });
      await onSent(sent);
    },
  };
}

/** A lane whose prompts the provider answers with 500, for ever. */
function openFailingLane(): Promise<TestLane> {
  return openTestLane(server, {
    run: { attempts },
    simulator: { faults: { error500: 1 } },
  });
}

describe.concurrent("the last prompts of a lane whose provider has been away for long", () => {
  test("fail once it took them as often as a call is tried, and not before", async () => {
    await using lane = await openFailingLane();
    await lane.serve({ createModel: watchedModels(awayAtFirst()), patienceMs: 0 });
    await lane.add(0);
    const [result] = await lane.results(1);
    expect(result).toMatchObject({ state: "failed", failures: [{ kind: "unavailable" }] });
    expect(result!.attempts.map(({ sent, burned }) => [sent, burned])).toEqual([
      [false, false],
      [true, false],
      [true, false],
    ]);
    expect(lane.simulator.ledger.calls).toBe(attempts);
  });

  test("are asked for again and again until then", async () => {
    await using lane = await openFailingLane();
    const service = await lane.serve({ createModel: watchedModels(awayAtFirst()) });
    await lane.add(0);
    await until(() => expect(lane.simulator.ledger.calls).toBeGreaterThan(attempts));
    expect(service.patienceMs).toBe(15 * 60_000);
    expect(await lane.redis.xlen(lane.keys.results(lane.run.id))).toBe(0);
    lane.simulator.settings.faults = {};
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
  });

  test("are not given up while others wait: it may answer those", async () => {
    await using lane = await openFailingLane();
    const watch = awayAtFirst(async (sent) => {
      // More than this worker takes in hand beside the call.
      if (sent === attempts) for (const index of [1, 2, 3]) await lane.add(index);
      if (sent > attempts) lane.simulator.settings.faults = {};
    });
    await lane.serve({ createModel: watchedModels(watch), patienceMs: 0, concurrency: 1 });
    await lane.add(0);
    const states = (await lane.results(4)).map(({ state }) => state);
    expect(states).toEqual(["succeeded", "succeeded", "succeeded", "succeeded"]);
  });
});
