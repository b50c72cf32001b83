import { readFileSync } from "node:fs";
import { type CliPlace, type RunningCli, startCli, startScript } from "../test/helpers/cli.ts";

/** A process of the arena, and what was seen of it. */
interface Watched {
  cli: RunningCli;
  startedAt: number;
  peakRssMb: number;
}

const sampleMs = 250;
/** What of a process' output is shown when something is wrong. */
const shownLines = 15;
const shownChars = 400;

/** Peak memory of a process in MB by the kernel's own count; undefined once it is gone. */
function peakRss(pid: number): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return kilobytes ? Number(kilobytes[1]) / 1024 : undefined;
  } catch {
    // It has ended between two looks.
    return undefined;
  }
}

/** Commands that run side by side: starts them, samples their memory, counts their lines, ends them all. */
export class Processes implements AsyncDisposable {
  readonly #watched: Watched[] = [];
  readonly #timer = setInterval(() => this.#sample(), sampleMs).unref();
  #closed = false;

  /** Starts a command of the real command line. */
  start(args: readonly string[], place: CliPlace): RunningCli {
    return this.#watch(() => startCli(args, place));
  }

  /** Starts a script of the checkout. */
  startScript(script: string, args: readonly string[], place: CliPlace): RunningCli {
    return this.#watch(() => startScript(script, args, place));
  }

  /** @throws Error once all were ended: nobody would end this one */
  #watch(start: () => RunningCli): RunningCli {
    if (this.#closed) throw new Error("the scenario has ended");
    const cli = start();
    this.#watched.push({ cli, startedAt: Date.now(), peakRssMb: 0 });
    return cli;
  }

  #sample(): void {
    for (const watched of this.#watched) {
      watched.peakRssMb = Math.max(watched.peakRssMb, peakRss(watched.cli.pid) ?? 0);
    }
  }

  /** Of the largest process, in MB. */
  get peakRssMb(): number {
    this.#sample();
    return Math.max(0, ...this.#watched.map(({ peakRssMb }) => peakRssMb));
  }

  /** Of the process that printed most, over its life until now. */
  get logLinesPerSecond(): number {
    const rates = this.#watched.map(({ cli, startedAt }) => {
      const lines = cli.stderr.split("\n").length - 1;
      return lines / Math.max(1, (Date.now() - startedAt) / 1000);
    });
    return Math.max(0, ...rates);
  }

  /** The last lines that each of them printed on stderr. */
  get printed(): string {
    return this.#watched
      .map(({ cli }, i) => {
        const lines = cli.stderr.split("\n").slice(-shownLines);
        return `--- process ${i}, pid ${cli.pid}\n${lines.map((line) => line.slice(0, shownChars)).join("\n")}`;
      })
      .join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { cli } of this.#watched) await cli[Symbol.asyncDispose]();
  }
}
