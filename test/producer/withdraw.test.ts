import { afterAll, beforeAll, expect, test } from "vitest";
import { withdraw } from "../../producer/withdraw.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openProducerStage, type ProducerStage } from "./producer-stage.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const attempt = {
  generations: [0],
  startedAt: 1,
  endedAt: 2,
  worker: "w",
  outcome: "ok" as const,
  burned: true,
  sent: true,
};
const soFar = { images: [], failures: [], attempts: [attempt] };

/** Adds a prompt job for which a call was sent. */
async function addCalled(stage: ProducerStage, index: number): Promise<void> {
  const prompt = stage.prompt(index);
  await stage.lane.add([{ ...prompt, job: { ...prompt.job, soFar } }]);
}

test("calls of a prompt whose result came while its jobs were taken out are not counted a second time", async () => {
  await using stage = await openProducerStage(server);
  await addCalled(stage, 0);
  await addCalled(stage, 1);
  await stage.report(stage.result(0, { attempts: [attempt] }));
  const { run, lane, window, settled, collector } = stage;
  const settle = () => collector.drain();
  const parts = { run: run.id, lane, window, settled, collector, settle };
  const withdrawn = await withdraw({ ...parts, graceMs: 0, isVain: () => false });
  expect(withdrawn).toEqual({ calls: 1, held: 0 });
  expect((await stage.journaled()).map(({ index, calls }) => [index, calls])).toEqual([[0, 1]]);
  expect(window.size).toBe(0);
});
