import { asError } from "../shared/caught.ts";
import { endsWithin } from "../shared/within.ts";
import { Arena, type ArenaOptions } from "./arena.ts";
import type { Verdict } from "./judge.ts";
import { faultsOf, type Finding, type Scenario } from "./scenario.ts";
import { recoveryOf, throughputOf, type Recovery } from "./timing.ts";

/** What came of one scenario. */
export interface Report {
  id: string;
  title: string;
  seed: number;
  /** Criteria that did not hold; none: it passed. */
  faults: string[];
  verdict?: Verdict;
  mayBuyTwice: number;
  recovery?: Recovery | undefined;
  throughput?: { during: number; after: number } | undefined;
  peakRedisMb: number;
  peakRssMb: number;
  logLinesPerSecond: number;
  seconds: number;
  note?: string | undefined;
}

/** How a scenario is to be played. */
export interface PlayOptions extends ArenaOptions {
  /** A scenario that takes longer is ended and has failed. */
  limitMs: number;
}

/** Plays one scenario to its end and judges it. Never throws for what the scenario did: that is a fault of it. */
export async function play(scenario: Scenario, options: PlayOptions): Promise<Report> {
  const { id, title } = scenario;
  const startedAt = Date.now();
  await using arena = new Arena(options);
  const measured = () => ({
    id,
    title,
    seed: options.seed,
    mayBuyTwice: arena.mayBuyTwice,
    peakRedisMb: arena.peakRedisMb,
    peakRssMb: arena.processes.peakRssMb,
    logLinesPerSecond: arena.processes.logLinesPerSecond,
    seconds: (Date.now() - startedAt) / 1000,
  });
  try {
    const playing = scenario.play(arena);
    if (!(await endsWithin(options.limitMs, playing)))
      throw new Error(`took longer than ${Math.round(options.limitMs / 1000)} s and was ended`);
    const finding = await playing;
    await arena.noteRedisMemory();
    const calls = await arena.provider.calls();
    const faults = [...commonFaults(finding, arena.mayBuyTwice), ...finding.faults];
    return {
      ...measured(),
      faults: faults.length > 0 ? [...faults, arena.processes.printed] : [],
      verdict: finding.verdict,
      recovery: recoveryOf(arena.broken, calls),
      throughput: throughputOf(finding.out, arena.broken),
      note: finding.note,
    };
  } catch (error) {
    const { stack, message } = asError(error);
    return { ...measured(), faults: [stack ?? message, arena.processes.printed] };
  }
}

/** What has to hold in every scenario. */
function commonFaults({ verdict }: Finding, mayBuyTwice: number): string[] {
  return faultsOf({
    [`0 images lost, got ${verdict.lost}`]: verdict.lost === 0,
    [`0 doubled, got ${verdict.doubled}`]: verdict.doubled === 0,
    [`0 false failures, got ${verdict.falseFailures}`]: verdict.falseFailures === 0,
    [`journal and files agree, got ${verdict.disagreements} differences`]:
      verdict.disagreements === 0,
    [`bought twice <= ${mayBuyTwice}, got ${verdict.boughtTwice}`]:
      verdict.boughtTwice <= mayBuyTwice,
  });
}
