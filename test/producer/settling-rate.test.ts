import { expect, test } from "vitest";
import { SettlingRate } from "../../producer/settling-rate.ts";

function rateOver(seconds: number, perSecond: number): SettlingRate {
  let nowMs = 0;
  const rate = new SettlingRate(() => nowMs);
  for (; nowMs < seconds * 1000; nowMs += 10) rate.add(perSecond / 100);
  return rate;
}

test("prompts that settle evenly are counted as so many a second", () => {
  expect(rateOver(10, 500).perSecond).toBeGreaterThan(490);
  expect(rateOver(10, 500).perSecond).toBeLessThan(510);
});

test("it is nothing at first, and fades when nothing is settled any more", () => {
  let nowMs = 0;
  const rate = new SettlingRate(() => nowMs);
  expect(rate.perSecond).toBe(0);
  rate.add(1_000);
  nowMs = 5_000;
  expect(rate.perSecond).toBeGreaterThan(0);
  expect(rate.perSecond).toBeLessThan(10);
});
