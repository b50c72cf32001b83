import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { readRunFile, runFilePath } from "../../shared/run-file.ts";
import { imagePath } from "../../shared/storage.ts";
import { startProgram } from "../processes.ts";
import { alternate, compare, type Measure, type Row } from "../row.ts";
import { temporaryFolder } from "../stage.ts";
import { runOf, Told } from "./size.ts";

/** Folders that were changed so shortly ago are listed each time. */
const folderRestMs = 11_000;
const promptsInFolder = 1_000;

/** Makes a run directory of so many settled prompts out of one of a thousand, line by line. */
async function settledRun(folder: string, prompts: number): Promise<string> {
  await runOf(1_000, folder, "settled");
  const out = join(folder, "settled");
  const run = (await readRunFile(out))!;
  const journal = join(out, ".imagemill", "journal.jsonl");
  const rows = join(out, ".imagemill", "rows.bin");
  const lines = (await readFile(journal, "utf8")).trimEnd().split("\n");
  const hashes = await readFile(rows);
  await writeFile(journal, "");
  await writeFile(rows, "");
  for (let from = 0; from < prompts; from += lines.length) {
    const again = lines.map((line, i) => line.replace(/"index":\d+/, `"index":${from + i}`));
    await appendFile(journal, `${again.join("\n")}\n`);
    await appendFile(rows, hashes);
  }
  const { size, mtimeMs } = await stat(run.source.path);
  run.dataset = { size, mtimeMs, rows: prompts };
  run.outputsAt = (await stat(journal)).size;
  await writeFile(runFilePath(out), JSON.stringify(run));
  return out;
}

/** Gives each prompt the name of an image: only names are looked at, and a million files would take minutes. */
async function addImages(out: string, prompts: number): Promise<void> {
  for (let first = 0; first < prompts; first += promptsInFolder) {
    const [path, ...links] = Array.from({ length: promptsInFolder }, (_, i) =>
      join(out, `${imagePath(first + i, 0)}.png`),
    );
    mkdirSync(dirname(path!), { recursive: true });
    writeFileSync(path!, "");
    for (const link of links) linkSync(path!, link);
  }
  await delay(folderRestMs);
}

async function opened(program: string, path: string, prompts: number): Promise<Told> {
  await using process = startProgram(program, [path]);
  const told = Told.extend({ count: z.int() }).parse(JSON.parse((await process.ended).stdout));
  if (told.count !== prompts)
    throw new Error(`${program} found ${told.count} of ${prompts} prompts`);
  return told;
}

/** Reads the journal and opens the run, in turn. */
async function openedInTurn(rounds: number, out: string, prompts: number) {
  const journal = join(out, ".imagemill", "journal.jsonl");
  return await alternate(
    rounds,
    () => opened("read-lines", journal, prompts),
    () => opened("open-run", out, prompts),
  );
}

function seconds(all: readonly Told[]): number[] {
  return all.map((told) => told.seconds);
}

function megabytes(all: readonly Told[]): number[] {
  return all.map((told) => told.peakRssBytes / 1e6);
}

/** A run that was nearly done. */
export const resume: Row = {
  name: "resume",
  what: "opening a run with 1,000,000 settled prompts: without images, and once more with 1,000 folders of them",
  baseline: "reading its journal once, line by line",
  run: async ({ rounds, short }): Promise<Measure[]> => {
    const folder = await temporaryFolder();
    const prompts = short ? 20_000 : 1_000_000;
    const out = await settledRun(folder, prompts);
    const ends = await openedInTurn(rounds, out, prompts);
    await addImages(out, prompts);
    // The first time the folders are listed.
    await opened("open-run", out, prompts);
    const endsWithImages = await openedInTurn(rounds, out, prompts);
    const times = [
      { name: "time", ...ends },
      { name: "time with images", ...endsWithImages },
    ].map(({ name, baseline, imagemill }) => {
      const numbers = { baseline: seconds(baseline), imagemill: seconds(imagemill) };
      return compare({ name, unit: "s", ...numbers }, "<= 2", (ratio) => ratio <= 2);
    });
    const rss = {
      name: "peak RSS",
      unit: "MB",
      baseline: megabytes(ends.baseline),
      imagemill: megabytes(ends.imagemill),
    };
    const more = Math.max(...rss.imagemill) - Math.min(...rss.baseline);
    return [...times, { ...compare(rss, "+ <= 150 MB", () => true), reached: more <= 150 }];
  },
};
