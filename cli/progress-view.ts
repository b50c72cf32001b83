import type { Run } from "../library/run.ts";
import type { RunProgress } from "../producer/run-life.ts";
import { count, formatSeconds, plural } from "../shared/quantity.ts";
import type { Terminal } from "./terminal.ts";

const barWidth = 20;
const drawMs = 200;
const lineMs = 10_000;
/** Images a second are of the last so many milliseconds. */
const rateMs = 15_000;

/** A share as a bar with its percentage. */
export function bar(share: number): string {
  const filled = Math.round(share * barWidth);
  return `[${"█".repeat(filled)}${"░".repeat(barWidth - filled)}] ${String(Math.floor(share * 100)).padStart(3)}%`;
}

/** One line that says how far a run is. */
export function progressLine(
  progress: RunProgress,
  imagesPerSecond: number,
  promptsPerSecond: number,
  workHere: boolean,
): string {
  const { totals, settled, total, calls, workers, waiting } = progress;
  const failed = totals.prompts.failed + totals.prompts.partial;
  const left = total === undefined ? undefined : Math.max(0, total - settled);
  // While everything waits, what was made before says nothing of the time that is left.
  const isAtRest = waiting !== undefined && calls === 0;
  const isUnknown = left === undefined || promptsPerSecond === 0 || isAtRest;
  const eta = isUnknown ? undefined : left / promptsPerSecond;
  return [
    total === undefined ? "" : bar(total === 0 ? 1 : Math.min(1, settled / total)),
    `${total === undefined ? "" : `${count(settled)}/`}${plural(total ?? settled, "prompt")}`,
    plural(totals.images, "image"),
    `${imagesPerSecond.toFixed(1)}/s`,
    eta === undefined ? "" : `ETA ${formatSeconds(eta)}`,
    `${calls} in flight`,
    totals.retries > 0 ? plural(totals.retries, "retry", "retries") : "",
    totals.throttled > 0 ? `${count(totals.throttled)} throttled` : "",
    failed > 0 ? `${count(failed)} failed` : "",
    totals.prompts.rejected > 0 ? `${count(totals.prompts.rejected)} rejected` : "",
    workers === 0 && waiting === undefined ? noWorker(workHere) : "",
    waiting === undefined ? "" : `waiting: ${waiting}`,
  ]
    .filter((part) => part !== "")
    .join("  ");
}

/** Who works in this process tells of itself soon; else somebody has to start a worker. */
function noWorker(workHere: boolean): string {
  return workHere
    ? "waiting: this run's own worker is not heard of yet"
    : "no living worker serves the lane: start `imagemill work`";
}

/** Shows a run's progress until the returned function is called: a bar on a terminal, else a line every 10 s. */
export function showProgress(run: Run, terminal: Terminal, workHere: boolean): () => void {
  const sample = ({ totals, settled } = run.progress()) => ({
    at: Date.now(),
    images: totals.images,
    settled,
  });
  const samples = [sample()];
  const draw = () => {
    const progress = run.progress();
    const now = sample(progress);
    samples.push(now);
    while (samples.length > 2 && now.at - samples[0]!.at > rateMs) samples.shift();
    const first = samples[0]!;
    const seconds = Math.max(0.001, (now.at - first.at) / 1000);
    const [images, prompts] = [now.images - first.images, now.settled - first.settled];
    const line = progressLine(progress, images / seconds, prompts / seconds, workHere);
    if (terminal.isInteractive) terminal.status(line);
    else terminal.write(line);
  };
  const timer = setInterval(draw, terminal.isInteractive ? drawMs : lineMs);
  return () => {
    clearInterval(timer);
    terminal.clear();
  };
}
