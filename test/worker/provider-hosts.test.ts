import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { rejection } from "./providers/provider-server.ts";
import { broken, call, refused, threeHosts } from "./three-hosts.ts";

test("calls go to the host with the fewest in flight: an even share", async () => {
  const { asked, callOnce, holdAnswers, letGo } = threeHosts();
  holdAnswers("a", "b", "c");
  const calls = Array.from({ length: 30 }, () => callOnce());
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual({ a: 10, b: 10, c: 10 });
  letGo();
  await Promise.all(calls);
});

test("a host that has not answered yet gets none of the calls that others are free for", async () => {
  const { asked, callOnce, holdAnswers, letGo } = threeHosts();
  holdAnswers("a");
  const calls = [callOnce(), callOnce(), callOnce()];
  await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 10; i++) await callOnce();
  expect(asked).toEqual({ a: 1, b: 6, c: 6 });
  letGo();
  await Promise.all(calls);
});

test("one call after the other goes round", async () => {
  const { asked, callOnce } = threeHosts();
  for (let i = 0; i < 9; i++) await callOnce();
  expect(asked).toEqual({ a: 3, b: 3, c: 3 });
});

test("a host that refuses connections is left out at once, tried again in time, and used again once it answers", async () => {
  const { asked, down, clock, callOnce, warnings } = threeHosts();
  down.set("b", refused);
  const ends = await Promise.allSettled([callOnce("1"), callOnce("2"), callOnce("3")]);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures).toMatchObject([{ kind: "unavailable", sent: false, hostAway: true }]);
  for (let i = 0; i < 10; i++) await callOnce();
  expect(asked).toEqual({ a: expect.any(Number), b: 1, c: expect.any(Number) });
  clock.now += 60_000;
  await Promise.allSettled([callOnce(), callOnce(), callOnce(), callOnce()]);
  expect(asked["b"]).toBe(2);
  down.clear();
  clock.now += 60_000;
  for (let i = 0; i < 9; i++) await callOnce();
  expect(asked["b"]).toBe(5);
  expect(warnings).toEqual([
    "base URL 2 of 3 is away: the others get its calls, one at a time probes it",
    "base URL 2 of 3 answers again",
  ]);
});

test.for([
  ["errors", broken],
  ["anything but images", new ProviderError("bad_response", "an HTML page")],
] as const)(
  "a host that answers %s to prompt after prompt is left out, too, before it takes them all",
  async ([, failure]) => {
    const { asked, down, callOnce } = threeHosts();
    down.set("c", failure);
    const outcomes: unknown[] = [];
    for (let i = 0; i < 60; i++) {
      outcomes.push(
        await callOnce(`prompt ${i}`).then(
          () => "ok",
          (error: unknown) => error,
        ),
      );
    }
    expect(asked["c"]).toBe(5);
    const failures = outcomes.filter((outcome) => outcome !== "ok");
    const away = failures.map((error) => error instanceof ProviderError && error.hostAway);
    expect(away).toEqual([false, false, false, false, true]);
  },
);

test("where no other host is left the failure is the provider's", async () => {
  const { down, callOnce } = threeHosts();
  for (const host of ["a", "b", "c"]) down.set(host, refused);
  const errors = [];
  for (let i = 0; i < 4; i++) errors.push(await rejection(callOnce(`prompt ${i}`)));
  expect(errors.map((error) => error instanceof ProviderError && error.hostAway)).toEqual([
    true,
    true,
    undefined,
    undefined,
  ]);
});

test("a call that its caller gave up says nothing against its host", async () => {
  const { hosts, down, asked } = threeHosts();
  down.set("a", broken);
  const signal = AbortSignal.abort(new Error("given up"));
  for (let i = 0; i < 30; i++) {
    await hosts.agenerate(`prompt ${i}`, { ...call, signal }).catch(() => undefined);
  }
  expect(asked).toEqual({ a: 10, b: 10, c: 10 });
});

test("a limit that a refusal of one host tells is kept by that host", async () => {
  const { asked, down, clock, callOnce } = threeHosts();
  const limits = { imagesPerMinute: 6 };
  down.set("b", new ProviderError("rate_limited", "Limit 6", { retryAfterMs: 1_000, limits }));
  await Promise.allSettled([callOnce(), callOnce(), callOnce()]);
  expect(asked).toEqual({ a: 1, b: 1, c: 1 });
  down.clear();
  for (let second = 0; second < 60; second++) {
    clock.now += 1_000;
    for (let i = 0; i < 3; i++) await callOnce();
  }
  expect(asked["b"]).toBeGreaterThan(4);
  expect(asked["b"]).toBeLessThanOrEqual(7);
});
