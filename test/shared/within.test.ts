import { once } from "node:events";
import { expect, test } from "vitest";
import { endsWithin } from "../../shared/within.ts";

test("what ends within the time has done so, well or not", async () => {
  expect(await endsWithin(60_000, Promise.resolve())).toBe(true);
  expect(await endsWithin(60_000, Promise.reject(new Error("of no matter")))).toBe(true);
});

test("what never ends has not, also where the time is over before it begins, and Node warns of nothing", async () => {
  const warning = once(process, "warning");
  const never = new Promise(() => {});
  expect(await endsWithin(1, never)).toBe(false);
  expect(await endsWithin(-62, never)).toBe(false);
  process.emitWarning("the only one");
  expect(await warning).toEqual([expect.objectContaining({ message: "the only one" })]);
});
