import { expect, test } from "vitest";
import { Together } from "../../worker/together.ts";

test("items of one turn of the event loop are worked on together, at most so many at a time, each with its result", async () => {
  const batches: number[][] = [];
  const together = new Together<number, string>(3, async (items) => {
    batches.push([...items]);
    return items.map(String);
  });
  const first = [1, 2, 3, 4, 5].map((item) => together.add(item));
  expect(await Promise.all(first)).toEqual(["1", "2", "3", "4", "5"]);
  expect(await together.add(6)).toBe("6");
  expect(batches).toEqual([[1, 2, 3], [4, 5], [6]]);
});

test("items that come later do not wait for the work that is being done", async () => {
  const firstWork = Promise.withResolvers<string[]>();
  const works = [firstWork.promise, Promise.resolve(["second"])];
  const together = new Together<string, string>(10, () => works.shift()!);
  const slow = together.add("a");
  const begun = Promise.withResolvers<void>();
  setImmediate(begun.resolve);
  await begun.promise;
  expect(await together.add("b")).toBe("second");
  firstWork.resolve(["first"]);
  expect(await slow).toBe("first");
});

test("an error is that of the items it was met with, and of no other", async () => {
  const together = new Together<number, number>(2, async (items) => {
    if (items.includes(2)) throw new Error("no 2");
    return items;
  });
  const ends = await Promise.allSettled([1, 2, 3].map((item) => together.add(item)));
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
});
