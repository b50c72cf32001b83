import { expect, test } from "vitest";
import { play } from "../../chaos/play.ts";
import type { Scenario } from "../../chaos/scenario.ts";

/** Where a run has been refused, its pace depends on when: F9 takes half a minute. What hangs takes longer. */
const limitMs = 240_000;

/** The short form of scenarios as tests, one after the other: each breaks what it starts itself. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    test(`${scenario.id}: ${scenario.title}`, { timeout: limitMs + 20_000 }, async () => {
      const report = await play(scenario, { seed: 1, short: true, limitMs });
      expect(report.faults).toEqual([]);
      expect(report.verdict?.calls).toBeGreaterThan(0);
    });
  }
}
