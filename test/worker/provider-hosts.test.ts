import { expect, test } from "vitest";
import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { silentLog } from "../../shared/log.ts";
import type { Profile } from "../../shared/profile.ts";
import { HostPool } from "../../worker/host-pool.ts";
import { ProviderHosts } from "../../worker/provider-hosts.ts";
import { AsyncImageGenerationModel } from "../../worker/providers/image-model.ts";
import type { ImageGeneration } from "../../worker/providers/image-generation.ts";
import { RenewableKey } from "../../worker/renewable-key.ts";
import { rejection } from "./providers/provider-server.ts";

const urls = ["http://a.test", "http://b.test", "http://c.test"];
const profile: Profile = {
  name: "test",
  kind: "openai",
  keyVariable: "TEST_KEY",
  baseUrl: urls[0],
  moreBaseUrls: urls.slice(1),
};
const call = { numGenerations: 1, parameters: {} };

/** A model of one's own at one host: answers when it is told to. */
class HostModel extends AsyncImageGenerationModel {
  readonly parameters = z.object({});
  readonly host: string;
  readonly answer: () => Promise<ImageGeneration>;

  constructor(host: string, answer: () => Promise<ImageGeneration>) {
    super();
    this.host = host;
    this.answer = answer;
  }

  async agenerate(): Promise<ImageGeneration> {
    return await this.answer();
  }
}

/** Three hosts with a clock of their own. `asked` counts calls by host; calls at hosts in `down` fail. */
function threeHosts() {
  const asked: Record<string, number> = { a: 0, b: 0, c: 0 };
  const down = new Map<string, ProviderError>();
  const clock = { now: 0 };
  const open: (() => void)[] = [];
  const slow = new Set<string>();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) };
  const pool = new HostPool(profile, log, () => clock.now);
  const hosts = new ProviderHosts(
    { profile, key: new RenewableKey(profile), pool },
    async ({ baseUrl = "" }) => {
      const host = baseUrl.charAt("http://".length);
      return new HostModel(host, async () => {
        asked[host]! += 1;
        const failure = down.get(host);
        if (failure) throw failure;
        if (slow.has(host)) await new Promise<void>((resolve) => open.push(resolve));
        return { images: [] };
      });
    },
  );
  const callOnce = (prompt = "a cat") => hosts.agenerate(prompt, call);
  return {
    hosts,
    warnings,
    asked,
    down,
    clock,
    callOnce,
    holdAnswers: (...names: string[]) => {
      for (const name of names) slow.add(name);
    },
    letGo: () => {
      for (const answer of open.splice(0)) answer();
    },
  };
}

const refused = new ProviderError("unavailable", "refused", { sent: false });
const broken = new ProviderError("unavailable", "HTTP 500", { status: 500 });

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

const redirect = new ProviderError("invalid_request", "HTTP 302: a redirect", { status: 302 });

test("a host that sends calls elsewhere is left out at once, and its call goes to another one", async () => {
  const { asked, down, clock, callOnce, warnings } = threeHosts();
  down.set("b", redirect);
  const ends = await Promise.allSettled([callOnce("1"), callOnce("2"), callOnce("3")]);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures).toMatchObject([{ kind: "unavailable", status: 302, hostAway: true }]);
  for (let i = 0; i < 10; i++) await callOnce();
  expect(asked["b"]).toBe(1);
  down.clear();
  clock.now += 60_000;
  for (let i = 0; i < 9; i++) await callOnce();
  expect(asked["b"]).toBe(4);
  expect(warnings).toEqual([
    "base URL 2 of 3 answers with a redirect, which is not followed: the others get its calls, one at a time probes it",
    "base URL 2 of 3 answers again",
  ]);
});

test("redirects wait for a host that is only away; where all hosts redirect, the base URLs are wrong", async () => {
  const { down, callOnce } = threeHosts();
  down.set("a", redirect);
  down.set("b", redirect);
  down.set("c", refused);
  for (let i = 0; i < 9; i++)
    expect(await rejection(callOnce(`prompt ${i}`))).toMatchObject({ kind: "unavailable" });
  down.set("c", redirect);
  const failures = [];
  for (let i = 0; i < 9; i++) failures.push(await rejection(callOnce(`prompt ${i}`)));
  expect(failures.at(-1)).toMatchObject({ kind: "invalid_request", status: 302 });
});

test("a host that has answered since it sent a call elsewhere is none of those that redirect", async () => {
  const { down, clock, callOnce } = threeHosts();
  down.set("a", redirect);
  expect(await rejection(callOnce())).toMatchObject({ status: 302, hostAway: true });
  down.clear();
  clock.now += 60_000;
  for (let i = 0; i < 9; i++) await callOnce();
  for (const host of ["b", "c"]) down.set(host, redirect);
  const ends = await Promise.allSettled(
    ["1", "2", "3", "4", "5", "6"].map((text) => callOnce(text)),
  );
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures.length).toBeGreaterThanOrEqual(2);
  for (const failure of failures) expect(failure).toMatchObject({ kind: "unavailable" });
});

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
