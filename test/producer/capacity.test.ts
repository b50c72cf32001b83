import { describe, expect, test } from "vitest";
import { canaryPrompts, type WindowFacts, windowSize } from "../../producer/capacity.ts";
import type { Heartbeat } from "../../shared/heartbeat.ts";

function worker(concurrency: number, fit = true): Heartbeat {
  return {
    v: 1,
    worker: "w",
    host: "h",
    machine: "m",
    pid: 1,
    version: "0",
    concurrency,
    fit,
    calls: [],
    rssBytes: 1,
  };
}

function size(facts: Partial<WindowFacts>): number {
  return windowSize({
    heartbeats: [],
    runs: 1,
    ceiling: undefined,
    proven: true,
    settledPerSecond: 0,
    callsPerPrompt: 1,
    mostCallsPerPrompt: 1,
    ...facts,
  });
}

describe("windowSize", () => {
  test("is twice what the fit workers can have in flight", () => {
    expect(size({ heartbeats: [worker(10), worker(25), worker(1000, false)] })).toBe(70);
  });

  test("is 64 while nothing is known of workers", () => {
    expect(size({})).toBe(64);
    expect(size({ heartbeats: [worker(50, false)] })).toBe(64);
  });

  test("is shared by the runs of the lane, and never nothing", () => {
    expect(size({ heartbeats: [worker(10)], runs: 3 })).toBe(7);
    expect(size({ heartbeats: [worker(1)], runs: 50 })).toBe(1);
    expect(size({ heartbeats: [worker(10)], runs: 0 })).toBe(20);
  });

  test("counts calls where a prompt takes several, and has two prompts where the run is alone", () => {
    const ten = { callsPerPrompt: 10, mostCallsPerPrompt: 10 };
    expect(size({ heartbeats: [worker(100)], ...ten })).toBe(20);
    expect(size({ heartbeats: [worker(2)], ...ten })).toBe(2);
    expect(size({ heartbeats: [worker(20)], runs: 2, ...ten })).toBe(2);
  });

  test("has as many calls as one prompt of any run of the lane takes, so that small prompts get their turn", () => {
    const beside = { heartbeats: [worker(2)], runs: 2, mostCallsPerPrompt: 10 };
    expect(size({ ...beside, callsPerPrompt: 10 })).toBe(1);
    expect(size({ ...beside, callsPerPrompt: 1 })).toBe(10);
    expect(size({ ...beside, callsPerPrompt: 3 })).toBe(4);
  });

  test("has what is settled in three tenths of a second on top, so that short calls never wait for the producer", () => {
    expect(size({ heartbeats: [worker(10)], settledPerSecond: 4_000 })).toBe(1_220);
    expect(size({ heartbeats: [worker(10)], settledPerSecond: 3 })).toBe(20);
    expect(size({ settledPerSecond: 4_000 })).toBe(64);
  });

  test("has nothing on top beside other runs: one that begins has nothing settled, and the same share", () => {
    const shared = { heartbeats: [worker(10)], runs: 2 };
    expect(size({ ...shared, settledPerSecond: 4_000 })).toBe(size(shared));
  });

  test("is at most 2,000 prompts, or what was asked for", () => {
    expect(size({ heartbeats: [worker(5_000)] })).toBe(2_000);
    expect(size({ heartbeats: [worker(5_000)], ceiling: 100 })).toBe(100);
    expect(size({ heartbeats: [worker(5_000)], ceiling: 1_000_000 })).toBe(2_000);
    expect(size({ heartbeats: [worker(10)], ceiling: 100 })).toBe(20);
  });

  test("is small until a prompt has come back right", () => {
    expect(size({ heartbeats: [worker(500)], proven: false })).toBe(canaryPrompts);
    expect(size({ heartbeats: [worker(2)], proven: false })).toBe(4);
  });
});
