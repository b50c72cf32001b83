import { createInterface } from "node:readline/promises";
import type { Survey } from "../producer/survey.ts";
import { estimateLine, type EstimateBasis } from "./estimate-view.ts";
import type { Terminal } from "./terminal.ts";

/** A run that may cost more than this is not begun before a person has said so. */
const askAboveUsd = 10;
/** The same for a run of more images than this whose cost is not known. */
const askAboveImages = 100;

/** The person did not want the run: nothing was sent. */
export class Declined extends Error {
  override readonly name = "Declined";
}

/** Whether a run is asked about: not one that has a budget, nor one that is only simulated. */
function isDear({ cost, images }: Survey, { profile, card, maxCostUsd }: EstimateBasis): boolean {
  if (maxCostUsd !== null || profile.identity !== undefined) return false;
  if (cost) return cost.atMostUsd > askAboveUsd;
  const isPaid = profile.baseUrl === undefined || card.known;
  return isPaid && images > askAboveImages;
}

/**
 * Says what the run has to do before its first call. On a terminal it asks before a dear one, unless `yes`; elsewhere
 * it never waits for anybody.
 * @throws Declined
 */
export async function approve(
  survey: Survey,
  basis: EstimateBasis,
  { terminal, yes }: { terminal: Terminal; yes: boolean },
): Promise<void> {
  terminal.write(estimateLine(survey, basis));
  const canAsk = process.stdin.isTTY && terminal.isInteractive;
  if (yes || !canAsk || !isDear(survey, basis)) return;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question("start? [y/N] (--yes does not ask) ");
    if (!/^y(es)?$/i.test(answer.trim())) throw new Declined("not started: nothing was sent");
  } finally {
    lines.close();
  }
}
