import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { rejection } from "./providers/provider-server.ts";
import { refused, threeHosts } from "./three-hosts.ts";

function refusal(retryAfterMs?: number): ProviderError {
  return new ProviderError("rate_limited", "HTTP 429", { status: 429, retryAfterMs });
}

/** Makes so many calls at once and gives how many went to each host. */
async function sharesOf(stage: ReturnType<typeof threeHosts>, count: number) {
  const before = { ...stage.asked };
  stage.holdAnswers("a", "b", "c");
  const calls = Array.from({ length: count }, () => stage.callOnce());
  await new Promise((resolve) => setImmediate(resolve));
  stage.letGo();
  await Promise.all(calls);
  return Object.fromEntries(
    Object.entries(stage.asked).map(([host, n]) => [host, n - before[host]!]),
  );
}

test("a host that refuses calls gets none for as long as it asks for, then half of its part, and all of it again in time", async () => {
  const stage = threeHosts();
  const { down, clock, callOnce } = stage;
  down.set("b", refusal(5_000));
  const ends = await Promise.allSettled([callOnce(), callOnce(), callOnce()]);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures).toMatchObject([{ kind: "rate_limited", retryAfterMs: 5_000, hostAway: true }]);
  down.clear();
  clock.now += 4_999;
  expect(await sharesOf(stage, 30)).toEqual({ a: 15, b: 0, c: 15 });
  clock.now += 1;
  expect(await sharesOf(stage, 30)).toEqual({ a: 12, b: 6, c: 12 });
  clock.now += 20_000;
  expect(await sharesOf(stage, 30)).toEqual({ a: 10, b: 10, c: 10 });
});

test("a host that refuses calls and says no time is asked twice as late each time, a burst counted as one refusal", async () => {
  const { asked, down, clock, callOnce } = threeHosts();
  down.set("b", refusal());
  const waits: number[] = [];
  for (let lastAt = 0; waits.length < 5; clock.now += 100) {
    const before = asked["b"]!;
    await Promise.allSettled(Array.from({ length: 140 }, () => callOnce()));
    if (asked["b"] === before) continue;
    waits.push(clock.now - lastAt);
    lastAt = clock.now;
  }
  expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000]);
});

test("a host that refuses calls and asks for no wait at all takes none back at once, where it is the only one left", async () => {
  const { down, callOnce } = threeHosts();
  down.set("a", refused);
  down.set("b", refused);
  down.set("c", refusal(0));
  const ends = [];
  for (let i = 0; i < 4; i++) ends.push(await rejection(callOnce()));
  expect(ends.at(-1)).toMatchObject({ kind: "rate_limited", hostAway: undefined });
});

test("where all hosts refuse calls the refusal is the lane's, until the first takes calls again", async () => {
  const { down, clock, callOnce } = threeHosts();
  const limits = { imagesPerMinute: 5 };
  const told = new ProviderError("rate_limited", "HTTP 429", { retryAfterMs: 9_000, limits });
  down.set("a", refusal(3_000));
  down.set("b", told);
  down.set("c", refused);
  const ends = [];
  for (let i = 0; i < 3; i++) {
    ends.push(await rejection(callOnce(`prompt ${i}`)));
    clock.now += 500;
  }
  expect(ends).toMatchObject([
    { kind: "rate_limited", hostAway: true },
    { kind: "rate_limited", hostAway: true, limits: undefined },
    { kind: "unavailable", hostAway: undefined },
  ]);
  down.set("c", told);
  clock.now += 1_000;
  const last = await rejection(callOnce());
  expect(last).toMatchObject({ kind: "rate_limited", hostAway: undefined, retryAfterMs: 500 });
  expect(last).toMatchObject({ limits: undefined });
});
