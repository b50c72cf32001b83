import { afterEach, expect, test, vi } from "vitest";
import { recent } from "../../monitor/recent.ts";
import { until } from "../helpers/until.ts";

afterEach(() => vi.useRealTimers());

test("what was answered a moment ago is asked for again once it is old, also after the clock was set back", async () => {
  let asked = 0;
  const ask = recent(20, async () => ++asked);
  expect([await ask(), await ask()]).toEqual([1, 1]);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
  await until(async () => expect(await ask()).toBe(2));
});
