import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textsOf } from "../../shared/result-entry.ts";
import { startProducer } from "../helpers/producer-process.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { readJournalOf } from "../helpers/run-files.ts";
import { openTestMill } from "../helpers/test-mill.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { expectNothingInRedis, expectWhole } from "./whole-run.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe.concurrent("a producer that was killed", () => {
  test("leaves results in the stream, which the next one settles without a new call", async () => {
    await using mill = await openTestMill(server, { prompts: 10 });
    const hold = new AnswerHold();
    await mill.work({ concurrency: 10, createModel: watchedModels(hold) });
    const { out, prefix } = mill;
    await using producer = startProducer({
      out,
      prefix,
      settings: mill.settings(),
      redisUrl: server.url,
    });
    await until(() => expect(hold.held).toBe(10));
    await producer.kill();
    hold.release();
    const run = (await mill.redis.hkeys(mill.keys.runs))[0]!;
    await until(async () => {
      const entries = await mill.redis.xrange(mill.keys.results(run), "-", "+");
      expect(entries.flatMap(([, fields]) => textsOf(fields))).toHaveLength(10);
    });
    const next = await mill.open();
    expect([next.id, next.resumed]).toEqual([run, true]);
    const summary = await next.finished;
    expectWhole(mill, summary, 10);
    expect([mill.simulator.ledger.calls, summary.calls]).toEqual([10, 10]);
    expect(
      readJournalOf(mill.out).every(({ images }) => images.every(({ recovered }) => !recovered)),
    ).toBe(true);
    await expectNothingInRedis(mill, run);
  });

  test("leaves jobs that wait or are in work: each is still done once", async () => {
    await using mill = await openTestMill(server, { prompts: 24, simulator: { latencyMs: 20 } });
    await mill.work({ concurrency: 3 });
    const { out, prefix } = mill;
    await using producer = startProducer({
      out,
      prefix,
      settings: mill.settings(),
      redisUrl: server.url,
    });
    await until(() => expect(mill.simulator.ledger.calls).toBeGreaterThan(4));
    await producer.kill();
    expectWhole(mill, await (await mill.open()).finished, 24);
    expect(mill.simulator.ledger.images).toBe(24);
    expect(readJournalOf(mill.out)).toHaveLength(24);
  });
});
