import { beforeEach, describe, expect, test } from "vitest";
import type { LaneState } from "../../shared/lane-state.ts";
import type { Registration } from "../../shared/registration.ts";
import { Gate } from "../../worker/gate.ts";
import { HandBack, RunCancelled } from "../../worker/job-moves.ts";
import { until } from "../helpers/until.ts";

const run = "run";
let now = 0;
let gate: Gate;
beforeEach(() => {
  now = 1_000;
  gate = new Gate(() => now);
});

function laneState(
  changes: Partial<LaneState> & { state?: Registration["state"] } = {},
): LaneState {
  const { state = "running", ...rest } = changes;
  const registration: Registration = {
    v: 1,
    run,
    round: 0,
    revision: 0,
    location: "/out",
    host: "h",
    state,
  };
  return {
    pause: undefined,
    holdMs: 0,
    newer: new Set(),
    runs: new Map([[run, registration]]),
    ...rest,
  };
}

/** How an entry ended, as far as it has by now. */
function entering(): { end: string | undefined; error: unknown } {
  const entry: { end: string | undefined; error: unknown } = { end: undefined, error: undefined };
  gate.enter(run).then(
    () => (entry.end = "entered"),
    (error: unknown) => Object.assign(entry, { end: "refused", error }),
  );
  return entry;
}

/** All that can happen without time passing has happened. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe("Gate", () => {
  test("is open for a run of which nothing is known", async () => {
    await gate.enter("somebody");
    expect(gate.waitingFor).toBeUndefined();
  });

  test("lets nobody in while the lane is held, and everybody after it by itself", async () => {
    const real = new Gate();
    real.hold(60);
    const before = Date.now();
    await Promise.all([real.enter(run), real.enter(run), real.enter(run)]);
    // Timers may fire a millisecond early by the wall clock.
    expect(Date.now() - before).toBeGreaterThanOrEqual(58);
  });

  test("learns a hold from Redis, keeps the longer one, and tells why it waits", async () => {
    gate.hold(10_000);
    expect(gate.waitingFor).toBe("rate limit, goes on in 10s");
    gate.update(laneState({ holdMs: 2_000 }));
    now += 5_000;
    const entry = entering();
    await settle();
    expect(entry.end).toBeUndefined();
    expect(gate.waitingFor).toBe("rate limit");
    now += 5_000;
    gate.update(laneState());
    await settle();
    expect(entry.end).toBe("entered");
    expect(gate.waitingFor).toBeUndefined();
  });

  test("a hold of its own lasts until Redis knows it; from then on Redis alone says when it ends", async () => {
    gate.hold(60_000);
    gate.update(laneState());
    const waiting = entering();
    await settle();
    expect(waiting.end).toBeUndefined();
    gate.holdIsShared(60_000);
    gate.wake();
    await settle();
    expect(waiting.end).toBeUndefined();
    gate.update(laneState());
    await settle();
    expect(waiting.end).toBe("entered");
  });

  test("a hold that Redis may have forgotten is this worker's own again, also for calls that were let in", async () => {
    expect(gate.keepHold()).toBe(0);
    gate.update(laneState({ holdMs: 10_000 }));
    now += 2_000;
    expect(gate.keepHold()).toBe(8_000);
    gate.update(laneState());
    expect(gate.mayStart(run)).toBe(false);
    const waiting = entering();
    await settle();
    expect(waiting.end).toBeUndefined();
    gate.holdIsShared(8_000);
    expect(gate.mayStart(run)).toBe(true);
    gate.update(laneState());
    await settle();
    expect(waiting.end).toBe("entered");
  });

  test("knows how long the lane has to wait at least, by what Redis said when it was asked", () => {
    expect(gate.knownHoldMs).toBe(0);
    gate.update(laneState({ holdMs: 10_000 }), 300);
    now += 2_000;
    expect(gate.knownHoldMs).toBe(7_700);
    gate.holdIsShared(9_000, 200);
    expect(gate.knownHoldMs).toBe(8_800);
    gate.update(laneState());
    expect(gate.knownHoldMs).toBe(0);
  });

  test("a hold that is made longer while somebody waits holds them, too", async () => {
    const real = new Gate();
    real.hold(20);
    const before = Date.now();
    const entry = real.enter(run);
    real.hold(80);
    await entry;
    expect(Date.now() - before).toBeGreaterThanOrEqual(78);
  });

  test("hands jobs back at once while the lane is paused, also those that wait already", async () => {
    gate.hold(60_000);
    const waiting = entering();
    await settle();
    gate.pauseLane({ kind: "quota", reason: "no money" });
    const later = entering();
    await settle();
    for (const entry of [waiting, later]) {
      expect(entry.error).toBeInstanceOf(HandBack);
      expect(entry.error).toMatchObject({ delayMs: 0, message: "lane paused: no money" });
    }
    expect(gate.waitingFor).toBe("lane paused (quota): no money");
    now += 60_000;
    gate.update(laneState());
    await gate.enter(run);
  });

  test("keeps jobs of a paused run away for a while", async () => {
    gate.update(laneState({ state: "paused" }));
    const entry = entering();
    await settle();
    expect(entry.error).toMatchObject({ name: "HandBack", delayMs: 3_000 });
  });

  test("ends jobs of a cancelled run, also those that wait already", async () => {
    gate.hold(60_000);
    const waiting = entering();
    gate.update(laneState({ state: "cancelled" }));
    await settle();
    expect(waiting.error).toBeInstanceOf(RunCancelled);
    await expect(gate.enter(run)).rejects.toThrow(RunCancelled);
  });

  test("once closed hands everything back, whatever else is the matter", async () => {
    gate.hold(60_000);
    const waiting = entering();
    await settle();
    gate.close("the worker closes");
    await settle();
    expect(waiting.error).toMatchObject({
      name: "HandBack",
      message: "the worker closes",
      delayMs: 0,
    });
    gate.update(laneState());
    await expect(gate.enter(run)).rejects.toThrow("the worker closes");
  });

  test("storage trouble of one run hands back that run's jobs alone, until it is over", async () => {
    gate.storageTrouble(run, "disk full");
    await expect(gate.enter(run)).rejects.toMatchObject({ name: "HandBack", delayMs: 1_000 });
    await gate.enter("another");
    expect(gate.waitingFor).toBe("storage: disk full");
    gate.storageTrouble(run, undefined);
    await gate.enter(run);
  });

  test("while the provider is away one entry probes and the others wait until it answers", async () => {
    gate.health.missed("a", false);
    expect(gate.waitingFor).toBe("provider away");
    now += 60_000;
    await gate.enter(run);
    const others = [entering(), entering()];
    await settle();
    expect(others.map(({ end }) => end)).toEqual([undefined, undefined]);
    gate.health.answered();
    gate.wake();
    await settle();
    expect(others.map(({ end }) => end)).toEqual(["entered", "entered"]);
  });

  test("lets only one of many that waited for the probe's time through", async () => {
    gate.health.missed("a", false);
    const entries = [entering(), entering(), entering()];
    now += 60_000;
    gate.wake();
    await until(() => expect(entries.filter(({ end }) => end === "entered")).toHaveLength(1));
    await settle();
    expect(entries.filter(({ end }) => end === undefined)).toHaveLength(2);
  });
});
