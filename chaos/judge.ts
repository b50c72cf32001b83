import { existsSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../shared/journal-line.ts";
import { filesBelow, readJournalOf, readResults, sha256Of } from "../test/helpers/run-files.ts";
import type { Call } from "./provider.ts";

/** What the three ledgers say of one run: prompts accepted, calls the provider saw, files on disk. */
export interface Verdict {
  prompts: number;
  images: number;
  calls: number;
  /** Images that were asked for and are neither on disk nor named as failed. */
  lost: number;
  /** Lines, files or journal entries too many: of a prompt or an image that is there already. */
  doubled: number;
  /** Prompts that came to be failed or partial though nothing was wrong with them. */
  falseFailures: number;
  /** Images that the provider made beyond those asked for. */
  boughtTwice: number;
  /** Images in the journal whose file is missing or has other bytes, and files that no line knows. */
  disagreements: number;
}

/** What a run was asked for. */
export interface Asked {
  out: string;
  prompts: number;
  generations: number;
  /** Indexes of prompts that have to fail. */
  mayFail?: ReadonlySet<number>;
  /** Calls of this run; default: all that the provider saw. */
  calls: readonly Call[];
}

/** Compares what was asked for with the run directory and with the provider's own ledger. */
export function judge({ out, prompts, generations, mayFail = new Set(), calls }: Asked): Verdict {
  const results = readResults(out);
  const journal = lastLines(readJournalOf(out));
  const files = existsSync(join(out, "images")) ? filesBelow(join(out, "images")) : [];
  const wanted = new Set(Array.from({ length: prompts }, (_, index) => index));
  const seen = new Set(results.map(({ index }) => index));
  const good = results.filter(({ index }) => !mayFail.has(index));
  const holes = good.flatMap(({ images }) => images.filter((image) => image === null));
  const missing = [...wanted].filter((index) => !seen.has(index) && !mayFail.has(index));
  return {
    prompts: results.length,
    images: files.length,
    calls: calls.length,
    lost: missing.length * generations + holes.length,
    doubled: results.length - seen.size + doubledFiles(files),
    falseFailures: good.filter(({ state }) => state !== "succeeded").length,
    boughtTwice: boughtTwice(calls, generations),
    disagreements: disagreements(out, journal, files),
  };
}

/** What the ledgers say of several runs together. */
export function judgedTogether(verdicts: readonly Verdict[]): Verdict {
  const sumOf = (count: keyof Verdict) => verdicts.reduce((sum, each) => sum + each[count], 0);
  return {
    prompts: sumOf("prompts"),
    images: sumOf("images"),
    calls: sumOf("calls"),
    lost: sumOf("lost"),
    doubled: sumOf("doubled"),
    falseFailures: sumOf("falseFailures"),
    boughtTwice: sumOf("boughtTwice"),
    disagreements: sumOf("disagreements"),
  };
}

/** The last line of each index, which is the one that counts. */
function lastLines(lines: readonly JournalLine[]): JournalLine[] {
  return [...new Map(lines.map((line) => [line.index, line])).values()];
}

/** Files of one image under several extensions. */
function doubledFiles(files: readonly string[]): number {
  return files.length - new Set(files.map((file) => file.replace(/\.\w+$/, ""))).size;
}

function boughtTwice(calls: readonly Call[], generations: number): number {
  const made = new Map<string, number>();
  for (const { promptHash, images } of calls) {
    made.set(promptHash, (made.get(promptHash) ?? 0) + images);
  }
  return [...made.values()].reduce((sum, images) => sum + Math.max(0, images - generations), 0);
}

function disagreements(
  out: string,
  journal: readonly JournalLine[],
  files: readonly string[],
): number {
  const known = new Map(
    journal.flatMap(({ images }) => images.map((image) => [image.file, image])),
  );
  const strangers = files.filter((file) => !known.has(`images/${file}`));
  const wrong = [...known.values()].filter(({ file, sha256 }) => {
    const path = join(out, file);
    return !existsSync(path) || sha256Of(path) !== sha256;
  });
  return strangers.length + wrong.length;
}
