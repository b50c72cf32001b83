import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { Heartbeat } from "../../shared/heartbeat.ts";
import { hostIdentity } from "../../shared/host-identity.ts";
import { type CallSources, livingCallsEnded, names } from "../../worker/living-calls.ts";
import { until } from "../helpers/until.ts";

function beatOf(calls: string[], changes: Partial<Heartbeat> = {}): Heartbeat {
  return {
    v: 1,
    worker: "other",
    host: "elsewhere",
    machine: "elsewhere",
    pid: 1,
    version: "0.1.0",
    concurrency: 1,
    fit: true,
    calls,
    rssBytes: 1,
    ...changes,
  };
}

interface Scene extends CallSources {
  mine: Set<string>;
  beats: Heartbeat[];
  /** Redis knows nothing of the worker that asks. */
  isForgotten: boolean;
  looks: number;
}

function scene(beats: Heartbeat[] = [], connectedMsAgo = 60_000): Scene {
  const connectedAt = Date.now() - connectedMsAgo;
  const sources: Scene = {
    mine: new Set(),
    own: () => sources.mine,
    worker: "me",
    beats,
    isForgotten: false,
    looks: 0,
    heartbeats: async () => {
      sources.looks += 1;
      return sources.isForgotten ? sources.beats : [...sources.beats, beatOf([], { worker: "me" })];
    },
    connectedAt: () => connectedAt,
  };
  return sources;
}

/** Whether waiting for the job has ended by now. */
function wait(job: string, sources: CallSources, signal = new AbortController().signal) {
  const state = { ended: false, error: undefined as unknown };
  livingCallsEnded(job, sources, signal).then(
    () => (state.ended = true),
    (error: unknown) => (state.error = error),
  );
  return state;
}

describe("names", () => {
  test("is true for the job itself and for its sub-jobs, not for one whose number begins alike", () => {
    expect(names(["run-0-1"], "run-0-1")).toBe(true);
    expect(names(["run-0-2", "run-0-1-3"], "run-0-1")).toBe(true);
    expect(names(["run-0-10", "run-0-11-0", "run-1-1"], "run-0-1")).toBe(false);
    expect(names(["run-0-1"], "run-0-1-0")).toBe(false);
    expect(names([], "run-0-1")).toBe(false);
  });
});

describe.concurrent("livingCallsEnded", () => {
  test("is at once where nobody has such a call in flight", async () => {
    const sources = scene([beatOf(["r-0-2"]), beatOf([])]);
    await livingCallsEnded("r-0-1", sources, new AbortController().signal);
    expect(sources.looks).toBe(1);
  });

  test("waits for the call of another worker, and sees its end", async () => {
    const sources = scene([beatOf(["r-0-1-2"])]);
    const state = wait("r-0-1", sources);
    await until(() => expect(sources.looks).toBeGreaterThan(1));
    expect(state.ended).toBe(false);
    sources.beats = [beatOf([])];
    await until(() => expect(state.ended).toBe(true));
  });

  test("waits for a call that another worker has yet to start", async () => {
    const sources = scene([beatOf([], { unsentCalls: ["r-0-1-2"] })]);
    const state = wait("r-0-1", sources);
    await until(() => expect(sources.looks).toBeGreaterThan(1));
    expect(state.ended).toBe(false);
    sources.beats = [beatOf(["r-0-1-2"])];
    const { looks } = sources;
    await until(() => expect(sources.looks).toBeGreaterThan(looks + 1));
    expect(state.ended).toBe(false);
    sources.beats = [beatOf([])];
    await until(() => expect(state.ended).toBe(true));
  });

  test("waits for a call of this worker, whatever its own heartbeat says", async () => {
    const sources = scene([beatOf(["r-0-1"], { worker: "me" })]);
    await livingCallsEnded("r-0-1", sources, new AbortController().signal);
    sources.mine.add("r-0-1");
    sources.looks = 0;
    const state = wait("r-0-1", sources);
    await until(() => expect(sources.looks).toBeGreaterThan(1));
    expect(state.ended).toBe(false);
    sources.mine.clear();
    await until(() => expect(state.ended).toBe(true));
  });

  test("does not wait for a worker of this host whose process is gone, though it still seems to beat", async () => {
    const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
    const { pid } = child;
    await once(child, "exit");
    const dead = beatOf(["r-0-1"], { machine: hostIdentity(), pid: pid! });
    await livingCallsEnded("r-0-1", scene([dead]), new AbortController().signal);
    const living = scene([beatOf(["r-0-1"], { machine: hostIdentity(), pid: process.pid })]);
    const state = wait("r-0-1", living);
    await until(() => expect(living.looks).toBeGreaterThan(1));
    expect(state.ended).toBe(false);
  });

  test("after an outage believes nobody dead before everybody had the time to beat", async () => {
    const sources = scene([], 0);
    const started = Date.now();
    await livingCallsEnded("r-0-1", sources, new AbortController().signal);
    expect(sources.looks).toBe(1);
    expect(Date.now() - started).toBeGreaterThanOrEqual(2_900);
  });

  test("in a Redis that was emptied believes nobody dead before this worker is known again", async () => {
    const sources = scene();
    sources.isForgotten = true;
    const state = wait("r-0-1", sources);
    await until(() => expect(sources.looks).toBeGreaterThan(1));
    expect(state.ended).toBe(false);
    sources.isForgotten = false;
    await until(() => expect(state.ended).toBe(true));
  });

  test("rejects with the signal's reason when the worker gives up", async () => {
    const controller = new AbortController();
    const state = wait("r-0-1", scene([beatOf(["r-0-1"])]), controller.signal);
    controller.abort(new Error("the grace time is over"));
    await until(() => expect(state.error).toBeInstanceOf(Error));
    expect(state.ended).toBe(false);
  });
});
