import { setFlagsFromString, getHeapSpaceStatistics } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { onAbort } from "../../../worker/providers/on-abort.ts";

setFlagsFromString("--expose-gc");
const collect: (options?: { type: "minor" }) => void = runInNewContext("gc");
setFlagsFromString("--no-expose-gc");

test("what was to be done on abort is done once, and not after its caller has left", () => {
  const controller = new AbortController();
  const done: string[] = [];
  onAbort(controller.signal, () => done.push("stayed"));
  const leave = onAbort(controller.signal, () => done.push("left"));
  leave();
  controller.abort();
  controller.abort();
  expect(done).toEqual(["stayed"]);
});

function oldSpaceBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")!
    .space_used_size;
}

/** Listens for so many calls on one signal, 50 at a time, each with so much to do on abort. Gives the bytes that grew old. */
async function bytesKept(calls: number, numbersEach: number): Promise<number> {
  const { signal } = new AbortController();
  let begun = 0;
  const makeSome = async () => {
    while (begun++ < calls) {
      const own = Array.from({ length: numbersEach }, () => begun);
      const leave = onAbort(signal, () => own.pop());
      // In the middle of calls, so that some of their listeners grow old.
      if (begun === 500) for (let i = 0; i < 3; i++) collect({ type: "minor" });
      await new Promise(setImmediate);
      leave();
    }
  };
  collect();
  const before = oldSpaceBytes();
  await Promise.all(Array.from({ length: 50 }, makeSome));
  for (let i = 0; i < 3; i++) collect({ type: "minor" });
  return oldSpaceBytes() - before;
}

test("what ended calls would have done does not grow old on a signal that outlives them", async () => {
  const [calls, numbersEach] = [4_000, 500];
  expect(await bytesKept(calls, numbersEach)).toBeLessThan((calls * numbersEach * 8) / 4);
});
