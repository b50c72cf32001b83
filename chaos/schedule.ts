import type { Report } from "./play.ts";
import type { Scenario } from "./scenario.ts";

/** How scenarios are to be played together. */
export interface Schedule {
  /** How many are played at a time of those that may have others beside them. */
  atOnce: number;
  /** Plays one; never rejects. */
  play: (scenario: Scenario) => Promise<Report>;
}

/**
 * Plays scenarios: first those that have to be alone, one after the other, then the others, several at a time. Gives what
 * came of each in the order of `scenarios`, as soon as it and all before it have ended.
 */
export async function* playAll(
  scenarios: readonly Scenario[],
  { atOnce, play }: Schedule,
): AsyncGenerator<Report> {
  const ends = scenarios.map((scenario) => ({
    scenario,
    report: Promise.withResolvers<Report>(),
  }));
  // Whoever is free takes the next one.
  const playEach = async (waiting: Iterable<(typeof ends)[number]>) => {
    for (const { scenario, report } of waiting) report.resolve(await play(scenario));
  };
  const playTogether = async () => {
    await playEach(ends.filter(({ scenario }) => scenario.alone));
    const others = ends.filter(({ scenario }) => !scenario.alone).values();
    await Promise.all(Array.from({ length: atOnce }, () => playEach(others)));
  };
  const playing = playTogether();
  for (const { report } of ends) yield await report.promise;
  await playing;
}
