import { beforeEach, describe, expect, test } from "vitest";
import { ProviderHealth } from "../../worker/provider-health.ts";

let now = 1_000_000;
let health: ProviderHealth;
beforeEach(() => {
  health = new ProviderHealth(() => now);
});

function miss(...prompts: string[]): boolean[] {
  return prompts.map((prompt) => health.missed(prompt, true));
}

/** So many probes that are taken and not answered in time. */
function probeInVain(times: number): void {
  for (let i = 0; i < times; i++) {
    now += health.waitMs;
    health.started();
    health.missed("late", true, { isLate: true });
  }
}

describe("ProviderHealth", () => {
  test("a prompt that fails again and again is not the provider's fault", () => {
    expect(miss("a", "a", "a", "a", "a", "a", "b", "b").some(Boolean)).toBe(false);
    expect(health.waitMs).toBe(0);
  });

  test("five different prompts in a row are", () => {
    expect(miss("a", "b", "c", "d", "e")).toEqual([false, false, false, false, true]);
    expect(health.away).toBe(true);
  });

  test("an answer between starts the count anew", () => {
    miss("a", "b", "c", "d");
    expect(health.answered()).toBe(false);
    expect(miss("e", "f", "g", "h").some(Boolean)).toBe(false);
  });

  test("no connection at all is enough once", () => {
    expect(health.missed("a", false)).toBe(true);
  });

  test("it is known when it was found away, not how long it has been", () => {
    expect(health.foundAwayAt).toBe(-Infinity);
    health.missed("a", false);
    const found = now;
    now += 5_000;
    health.missed("b", false);
    health.answered();
    expect(health.foundAwayAt).toBe(found);
  });

  test("while it is away one call probes, after a wait that grows, and all others wait for it", () => {
    health.missed("a", false);
    const first = health.waitMs;
    expect(first).toBeGreaterThanOrEqual(500);
    expect(first).toBeLessThanOrEqual(1_000);
    now += first;
    expect(health.waitMs).toBe(0);
    health.started();
    expect(health.waitMs).toBe(Infinity);
    health.missed("b", true);
    expect(health.waitMs).toBeGreaterThanOrEqual(1_000);
    expect(health.waitMs).toBeLessThanOrEqual(2_000);
  });

  test("the wait never grows beyond half a minute", () => {
    for (let probe = 0; probe < 30; probe++) {
      health.missed("a", false);
      now += health.waitMs;
      health.started();
    }
    health.missed("a", false);
    expect(health.waitMs).toBeLessThanOrEqual(30_000);
    expect(health.waitMs).toBeGreaterThanOrEqual(15_000);
  });

  test("calls that were under way when it went away do not put the probe off", () => {
    health.missed("a", false);
    const { waitMs } = health;
    for (const prompt of ["b", "c", "d", "e", "f", "g"]) health.missed(prompt, true);
    expect(health.waitMs).toBe(waitMs);
  });

  test("an answer, be it to the probe or to an older call, ends it and says so once", () => {
    health.missed("a", false);
    expect(health.answered()).toBe(true);
    expect(health.answered()).toBe(false);
    expect(health.waitMs).toBe(0);
    expect(miss("b", "c", "d", "e").some(Boolean)).toBe(false);
  });

  test("a probe that was given up lets another one go", () => {
    health.missed("a", false);
    now += health.waitMs;
    health.started();
    health.abandoned();
    expect(health.waitMs).toBe(0);
    expect(health.away).toBe(true);
  });

  test("a call that starts while it is there is no probe", () => {
    health.started();
    health.missed("a", false);
    expect(health.waitMs).toBeLessThan(Infinity);
  });

  test("probes that are taken and never answered in time are in vain, unless the provider has answered before", () => {
    for (const prompt of ["a", "b", "c", "d", "e"]) health.missed(prompt, true, { isLate: true });
    probeInVain(2);
    expect(health.isInVain).toBe(false);
    probeInVain(1);
    expect(health.isInVain).toBe(true);
    health.answered();
    for (const prompt of ["a", "b", "c", "d", "e"]) health.missed(prompt, true, { isLate: true });
    probeInVain(9);
    expect(health).toMatchObject({ away: true, isInVain: false });
  });

  test("a probe that finds no provider between them begins the count anew", () => {
    for (const prompt of ["a", "b", "c", "d", "e"]) health.missed(prompt, true, { isLate: true });
    probeInVain(2);
    now += health.waitMs;
    health.started();
    health.missed("refused", false);
    probeInVain(3);
    expect(health.isInVain).toBe(false);
    probeInVain(1);
    expect(health.isInVain).toBe(true);
  });

  test("prompts that failed before, while others were answered, say little of the provider", () => {
    const again = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        health.missed(`again ${i}`, true, { isSuspect: true }),
      );
    expect(again(19).some(Boolean)).toBe(false);
    expect(again(20).at(-1)).toBe(true);
    health.answered();
    expect(again(8).some(Boolean)).toBe(false);
    expect(miss("a", "b", "c")).toEqual([false, false, true]);
  });

  test("it is known when it was back last", () => {
    health.answered();
    expect(health.returnedAt).toBe(-Infinity);
    health.missed("a", false);
    now += 5_000;
    health.answered();
    expect(health.returnedAt).toBe(now);
  });
});
