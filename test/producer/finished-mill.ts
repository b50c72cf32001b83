import { expect } from "vitest";
import type { TestRedis } from "../helpers/redis.ts";
import { openTestMill, type TestMill } from "../helpers/test-mill.ts";

/** A mill whose run has been made: so many prompts of so many images each. */
export async function finishedMill(
  server: TestRedis,
  prompts: number,
  numGenerations: number,
): Promise<TestMill> {
  const mill = await openTestMill(server, { prompts });
  await mill.work();
  const run = await mill.open({}, { numGenerations });
  const images = numGenerations * prompts;
  expect(await run.finished).toMatchObject({ state: "completed", images });
  return mill;
}
