import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultPrefix, laneKeys } from "../../shared/keys.ts";
import { readHeartbeats } from "../../shared/lane-state.ts";
import { listLanes } from "../../shared/steer.ts";
import type { Arena } from "../arena.ts";
import { otherClock } from "../other-clock.ts";
import type { Call } from "../provider.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;
const hourMs = 3_600_000;
/** Longer than a producer takes to add again what an empty Redis does not know: calls could start while the lane has to wait. */
const retryAfterMs = 10_000;
/** How far a Redis' clock is off, in one direction or the other. */
const offSeconds = 60;
/** Calls that were let go before the refusal have reached the provider by then. */
const onTheirWayMs = 500;
/** How long the lane may take to go on once Retry-After is over, or Redis is back if that is later. */
const recoveryMs = 15_000;
const preload = fileURLToPath(new URL("../preload-clock.ts", import.meta.url));

/** A Redis that was replaced while the lane had to wait. */
interface Replacement {
  what: string;
  refused: Call;
  backAt: number;
  /** How far its clock was to be ahead (less than 0: behind), and is, as it tells itself. */
  seconds: number;
  measuredSeconds: number;
}

function workerOfClock(arena: Arena, offsetMs: number): void {
  const env = { NODE_OPTIONS: `--import ${preload}`, CHAOS_CLOCK_MS: `${offsetMs}` };
  arena.startWith(env, "work", "-c", `${concurrency}`);
}

function isRefused({ fault }: Call): boolean {
  return fault === "rateLimited";
}

/** Has the next call refused, and waits until every worker says that it waits. */
async function refuseNext(arena: Arena): Promise<Call> {
  const { provider } = arena;
  const before = (await provider.calls()).filter(isRefused).length;
  await provider.set({ promptFaults: [{ match: "number", fault: "rateLimited", times: 1 }] });
  const refused = await until("a refused call", async () =>
    (await provider.calls()).filter(isRefused).at(before),
  );
  await until("the workers to wait", () =>
    arena.ask(async (redis) => {
      const [lane] = await listLanes(redis, defaultPrefix);
      const heartbeats = await readHeartbeats(redis, laneKeys(defaultPrefix, lane!));
      return heartbeats.every(({ waiting }) => waiting === "rate limit");
    }),
  );
  return refused;
}

/** Kills Redis while the lane has to wait and starts another one, with its data or empty, whose clock is off. */
async function replaceRedis(
  arena: Arena,
  { seconds, keepsData }: { seconds: number; keepsData: boolean },
): Promise<Replacement> {
  const { redis } = arena;
  const refused = await refuseNext(arena);
  arena.brokenNow();
  await arena.noteRedisMemory();
  await redis.kill();
  if (!keepsData) rmSync(join(redis.directory, "appendonlydir"), { recursive: true });
  await redis.start(otherClock(seconds));
  const [toldSeconds = 0] = await arena.ask((client) => client.time());
  return {
    what: `the Redis that is ${keepsData ? "as the old one was" : "empty"} (${seconds} s)`,
    seconds,
    refused,
    backAt: Date.now(),
    measuredSeconds: Math.round(toldSeconds - Date.now() / 1000),
  };
}

/** What of a replacement was not as it has to be, and how long after Retry-After the first call came. */
function judgeReplacement(
  { what, refused, backAt, seconds, measuredSeconds }: Replacement,
  calls: readonly Call[],
): { faults: string[]; lateSeconds: number } {
  const refusedAt = refused.endedAt!;
  const mayStartAt = refusedAt + retryAfterMs;
  const later = calls.map(({ startedAt }) => startedAt).filter((at) => at > refusedAt);
  const early = later.filter((at) => at > refusedAt + onTheirWayMs && at < mayStartAt);
  const wentOnAt = later.find((at) => at >= mayStartAt) ?? Infinity;
  const lateMs = wentOnAt - mayStartAt;
  return {
    faults: faultsOf({
      [`${what}: its clock is off by so much, it says ${measuredSeconds}`]:
        Math.abs(measuredSeconds - seconds) <= 1,
      [`${what}: Retry-After is kept, ${early.length} calls too early`]: early.length === 0,
      [`${what}: the lane goes on ${recoveryMs / 1000} s after Retry-After, it took ${lateMs / 1000}`]:
        wentOnAt <= Math.max(mayStartAt, backAt) + recoveryMs,
    }),
    lateSeconds: lateMs / 1000,
  };
}

export const wrongClocks: Scenario = {
  id: "F22",
  title: "Redis is replaced by one whose clock is a minute off; workers' clocks are an hour off",
  play: async (arena) => {
    const provider = await arena.openProvider({
      latencyMs: 200,
      jitter: 0.5,
      faultRetryAfterMs: retryAfterMs,
      retryAfter: "date",
    });
    await arena.openRedis();
    const prompts = arena.size(600, 100);
    const run = enqueuedRun(arena, { prompts, generations: 2, model: oneAtATime });
    const producer = run.enqueue();
    workerOfClock(arena, hourMs);
    workerOfClock(arena, -hourMs);
    await provider.called(prompts / 3);
    const replaced = [await replaceRedis(arena, { seconds: -offSeconds, keepsData: true })];
    await provider.called(prompts);
    replaced.push(await replaceRedis(arena, { seconds: -2 * offSeconds, keepsData: false }));
    // This one knows nothing of the refusal but by what the others tell.
    arena.work(concurrency);
    await provider.called(1.5 * prompts);
    // To this one everything that was to live for a time is over: the wait, locks, heartbeats, the producer's claim.
    replaced.push(await replaceRedis(arena, { seconds: offSeconds, keepsData: true }));
    const faults = await endedWith(producer, 0);
    const calls = await provider.calls();
    const judged = replaced.map((replacement) => judgeReplacement(replacement, calls));
    const late = judged.map(({ lateSeconds }) => lateSeconds.toFixed(1));
    return {
      verdict: await run.judge({ calls }),
      out: run.out,
      faults: [...faults, ...judged.flatMap((each) => each.faults)],
      note: `went on ${late.join(", ")} s after Retry-After`,
    };
  },
};
