import { join } from "node:path";
import { z } from "zod";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { startTestRedis } from "../../test/helpers/redis.ts";
import { alternate, compare, type Measure, type Row } from "../row.ts";
import { startProgram } from "../processes.ts";
import { temporaryFolder, writePrompts } from "../stage.ts";

/** What a program tells of itself. */
export const Told = z.object({ seconds: z.number(), peakRssBytes: z.number() });
export type Told = z.infer<typeof Told>;
type RunTold = Told & { redisBytes: number };

/** A whole run in one process; images are kept nowhere. */
export async function runOf(prompts: number, folder: string, out: string): Promise<RunTold> {
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
