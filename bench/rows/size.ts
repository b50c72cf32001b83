import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { readRunFile, runFilePath } from "../../shared/run-file.ts";
import { startTestRedis } from "../../test/helpers/redis.ts";
import { alternate, compare, type Measure, type Row } from "../row.ts";
import { startProgram } from "../processes.ts";
import { temporaryFolder, writePrompts } from "../stage.ts";

const Told = z.object({ seconds: z.number(), peakRssBytes: z.number() });
type Told = z.infer<typeof Told>;
type RunTold = Told & { redisBytes: number };

/** A whole run in one process; images are kept nowhere. */
async function runOf(prompts: number, folder: string, out: string): Promise<RunTold> {
  await using redis = await startTestRedis();
  const dataset = await writePrompts(folder, prompts);
  const args = [redis.url, dataset, join(folder, out), "1", "nowhere", "100"];
  await using program = startProgram("mill", args);
  const told = Told.parse(JSON.parse((await program.ended).stdout));
  const client = connectRedis(parseRedisTarget(redis.url), { role: "producer" });
  const memory = await client.info("memory");
  client.disconnect();
  return { ...told, redisBytes: Number(/used_memory_peak:(\d+)/.exec(memory)?.[1]) };
}

function microsecondsEach(all: readonly Told[], count: number): number[] {
  return all.map(({ seconds }) => (1e6 * seconds) / count);
}

function megabytes(all: readonly RunTold[], key: "redisBytes" | "peakRssBytes"): number[] {
  return all.map((told) => told[key] / 1e6);
}

/** The same at every size. */
export const flat: Row = {
  name: "flat",
  what: "10,000 and 200,000 prompts: time for each, peak of Redis' used_memory, peak RSS of producer and worker in one process",
  baseline: "10,000 prompts",
  run: async ({ rounds, short }): Promise<Measure[]> => {
    const [few, many] = short ? [1_000, 5_000] : [10_000, 200_000];
    const folder = await temporaryFolder();
    let out = 0;
    const ends = await alternate(
      Math.min(rounds, 3),
      () => runOf(few, folder, `few-${out++}`),
      () => runOf(many, folder, `many-${out++}`),
    );
    const time = {
      name: "time for each prompt",
      unit: "µs",
      baseline: microsecondsEach(ends.baseline, few),
      imagemill: microsecondsEach(ends.imagemill, many),
    };
    const redis = {
      name: "Redis' peak",
      unit: "MB",
      baseline: megabytes(ends.baseline, "redisBytes"),
      imagemill: megabytes(ends.imagemill, "redisBytes"),
    };
    const rss = {
      name: "peak RSS",
      unit: "MB",
      baseline: megabytes(ends.baseline, "peakRssBytes"),
      imagemill: megabytes(ends.imagemill, "peakRssBytes"),
    };
    const growth = Math.max(...rss.imagemill) - Math.max(...rss.baseline);
    return [
      compare(time, "<= 1.05", (ratio) => ratio <= 1.05),
      { ...compare(redis, "<= 32 MB", () => true), reached: Math.max(...redis.imagemill) <= 32 },
      { ...compare(rss, "+ <= 40 MB", () => true), reached: growth <= 40 },
    ];
  },
};

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

async function opened(program: string, path: string, prompts: number): Promise<Told> {
  await using process = startProgram(program, [path]);
  const told = Told.extend({ count: z.int() }).parse(JSON.parse((await process.ended).stdout));
  if (told.count !== prompts)
    throw new Error(`${program} found ${told.count} of ${prompts} prompts`);
  return told;
}

/** A run that was nearly done. */
export const resume: Row = {
  name: "resume",
  what: "opening a run with 1,000,000 settled prompts",
  baseline: "reading its journal once, line by line",
  run: async ({ rounds, short }): Promise<Measure[]> => {
    const folder = await temporaryFolder();
    const prompts = short ? 20_000 : 1_000_000;
    const out = await settledRun(folder, prompts);
    const journal = join(out, ".imagemill", "journal.jsonl");
    const ends = await alternate(
      rounds,
      () => opened("read-lines", journal, prompts),
      () => opened("open-run", out, prompts),
    );
    const time = {
      name: "time",
      unit: "s",
      baseline: ends.baseline.map(({ seconds }) => seconds),
      imagemill: ends.imagemill.map(({ seconds }) => seconds),
    };
    const rss = {
      name: "peak RSS",
      unit: "MB",
      baseline: ends.baseline.map(({ peakRssBytes }) => peakRssBytes / 1e6),
      imagemill: ends.imagemill.map(({ peakRssBytes }) => peakRssBytes / 1e6),
    };
    const more = Math.max(...rss.imagemill) - Math.min(...rss.baseline);
    return [
      compare(time, "<= 2", (ratio) => ratio <= 2),
      { ...compare(rss, "+ <= 150 MB", () => true), reached: more <= 150 },
    ];
  },
};
