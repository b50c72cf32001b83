import { expect, test } from "vitest";
import type { Report } from "../../chaos/play.ts";
import type { Scenario } from "../../chaos/scenario.ts";
import { playAll } from "../../chaos/schedule.ts";
import { until } from "../helpers/until.ts";

const unplayed = () => Promise.reject(new Error("is not played in this test"));

function scenario(id: string, alone?: true): Scenario {
  return { id, title: id, play: unplayed, ...(alone && { alone }) };
}

/** A stage on which scenarios take turns as they are told to end. */
function stage() {
  const playing = new Map<string, () => void>();
  return {
    playing: () => [...playing.keys()],
    end: (id: string) => playing.get(id)!(),
    play: async ({ id }: Scenario): Promise<Report> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      playing.set(id, resolve);
      await promise;
      playing.delete(id);
      const measured = { mayBuyTwice: 0, peakRedisMb: 0, peakRssMb: 0, logLinesPerSecond: 0 };
      return { id, title: id, seed: 1, faults: [], seconds: 0, ...measured };
    },
  };
}

test("scenarios that have to be alone are played first and alone, the others so many at a time", async () => {
  const { playing, end, play } = stage();
  const all = ["a", "b", "c", "d"].map((id) => scenario(id));
  const reports = playAll([...all, scenario("x", true), scenario("y", true)], { atOnce: 3, play });
  const first = reports.next();
  await until(() => expect(playing()).toEqual(["x"]));
  end("x");
  await until(() => expect(playing()).toEqual(["y"]));
  end("y");
  await until(() => expect(playing()).toEqual(["a", "b", "c"]));
  end("b");
  await until(() => expect(playing()).toEqual(["a", "c", "d"]));
  end("a");
  expect((await first).value).toMatchObject({ id: "a" });
});

test("their reports come in the order of the scenarios, however they end", async () => {
  const { playing, end, play } = stage();
  const ids: string[] = [];
  const all = ["a", "b", "c"].map((id) => scenario(id));
  const telling = (async () => {
    for await (const { id } of playAll(all, { atOnce: 3, play })) ids.push(id);
  })();
  await until(() => expect(playing()).toEqual(["a", "b", "c"]));
  for (const id of ["c", "b"]) end(id);
  await until(() => expect(playing()).toEqual(["a"]));
  expect(ids).toEqual([]);
  end("a");
  await telling;
  expect(ids).toEqual(["a", "b", "c"]);
});
