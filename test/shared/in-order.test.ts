import { expect, test } from "vitest";
import { inOrder } from "../../shared/in-order.ts";

async function* numbers(count: number) {
  for (let i = 0; i < count; i++) yield i;
}

test("results come in the order of the items, with no more than the width under way", async () => {
  const open: PromiseWithResolvers<void>[] = [];
  let most = 0;
  let underWay = 0;
  const results = inOrder(numbers(20), 3, async (item) => {
    most = Math.max(most, ++underWay);
    open[item] = Promise.withResolvers();
    // The last of three ends first.
    if (item % 3 === 2) open.slice(item - 2, item).forEach(({ resolve }) => resolve());
    else if (item < 18) await open[item].promise;
    underWay--;
    return item * 10;
  });
  const got: number[] = [];
  for await (const result of results) got.push(result);
  expect(got).toEqual(Array.from({ length: 20 }, (_, i) => i * 10));
  expect(most).toBe(3);
});

test("after an error nothing more is begun, and what was begun has ended", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const results = inOrder(numbers(20), 4, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("no");
    await new Promise((resolve) => setImmediate(resolve));
    ended.push(item);
    return item;
  });
  await expect(Array.fromAsync(results)).rejects.toThrow("no");
  expect(begun.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
  expect(ended.toSorted((a, b) => a - b)).toEqual([0, 2, 3, 4]);
});
