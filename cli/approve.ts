import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { RunSurvey } from "../library/survey-run.ts";
import { Declined } from "./declined.ts";
import { estimateLine, type EstimateBasis } from "./estimate-view.ts";
import type { Terminal } from "./terminal.ts";

/** A run that may cost more than this is not begun before a person has said so. */
const askAboveUsd = 10;
/** The same for a run of more images than this whose cost is not known. */
const askAboveImages = 100;

/** Whether a run is asked about: not one that has a budget, nor one that is only simulated. */
function isDear(
  { cost, images, card, maxCostUsd }: RunSurvey,
  { profile }: EstimateBasis,
): boolean {
  const isSimulated = profile.identity !== undefined || profile.name === "simulator";
  if (maxCostUsd !== null || isSimulated) return false;
  if (cost) return cost.atMostUsd > askAboveUsd;
  const isPaid = profile.baseUrl === undefined || card.known;
  return isPaid && images > askAboveImages;
}

/** Asks the person at the terminal; undefined where there is none. */
export type Ask = ((question: string) => Promise<string>) | undefined;

/** How people can be asked here. */
export function askOf(terminal: Terminal): Ask {
  if (!process.stdin.isTTY || !terminal.isInteractive) return undefined;
  return async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-C and Ctrl-D are a no. By its version, Node rejects or leaves the question open for ever.
    const left = once(lines, "close").then(() => "");
    lines.on("SIGINT", () => lines.close());
    try {
      return await Promise.race([lines.question(question), left]);
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") return "";
      throw error;
    } finally {
      lines.close();
    }
  };
}

/**
 * Says what the run has to do before its first call, and asks before a dear one. Without a terminal, or with `--yes`
 * (`ask` undefined), it never waits for anybody.
 * @throws Declined
 */
export async function approve(
  survey: RunSurvey,
  basis: EstimateBasis,
  { write, ask }: { write: (line: string) => void; ask: Ask },
): Promise<void> {
  write(estimateLine(survey, basis));
  if (!ask || !isDear(survey, basis)) return;
  const answer = await ask("start? [y/N] (--yes does not ask) ");
  if (!/^y(es)?$/i.test(answer.trim())) throw new Declined("not started: nothing was sent");
}
