import { z } from "zod";
import { startTestRedis } from "../../test/helpers/redis.ts";
import { alternate, compare, type Row } from "../row.ts";
import { startProgram } from "../processes.ts";
import { temporaryFolder, writePrompts } from "../stage.ts";

const Told = z.object({ seconds: z.number() });
const concurrency = "100";

/** One program over a Redis of its own; the seconds that it tells. */
async function secondsOf(name: string, args: (redisUrl: string) => string[]): Promise<number> {
  await using redis = await startTestRedis();
  await using program = startProgram(name, args(redis.url));
  return Told.parse(JSON.parse((await program.ended).stdout)).seconds;
}

/** Raw BullMQ against a whole run, in turn. */
async function againstRawQueue(
  prompts: number,
  images: number,
  storage: "files" | "nowhere",
  rounds: number,
): Promise<{ baseline: number[]; imagemill: number[] }> {
  const folder = await temporaryFolder();
  const dataset = await writePrompts(folder, prompts);
  const children = images === 1 ? "0" : String(images);
  let out = 0;
  const ends = await alternate(
    rounds,
    () => secondsOf("raw-queue", (url) => [url, String(prompts), concurrency, children]),
    () =>
      secondsOf("mill", (url) => {
        const place = `${folder}/${out++}`;
        return [url, dataset, place, String(images), storage, concurrency];
      }),
  );
  const perSecond = (seconds: number) => prompts / seconds;
  return { baseline: ends.baseline.map(perSecond), imagemill: ends.imagemill.map(perSecond) };
}

/** The queue and the journal alone. */
export const queue: Row = {
  name: "queue",
  what: "20,000 prompts, a provider that answers at once in process, from opening the run to its outputs",
  baseline: "raw BullMQ: addBulk and a worker that does nothing, same payload",
  run: async ({ rounds, short }) => {
    const prompts = short ? 2_000 : 20_000;
    const unit = "prompts/s";
    const without = await againstRawQueue(prompts, 1, "nowhere", rounds);
    const files = await againstRawQueue(prompts, 1, "files", rounds);
    return [
      compare({ name: "images kept nowhere", unit, ...without }, ">= 0.6", (r) => r >= 0.6),
      compare({ name: "images written to files", unit, ...files }, ">= 0.6", (r) => r >= 0.6),
    ];
  },
};

/** Sub-jobs. */
export const fanOut: Row = {
  name: "fan-out",
  what: "2,000 prompts, 4 images each, one a call, a provider that answers at once in process",
  baseline: "raw BullMQ flows of 1 + 4, added and processed by a worker that does nothing",
  run: async ({ rounds, short }) => {
    const prompts = short ? 200 : 2_000;
    const unit = "prompts/s";
    const ends = await againstRawQueue(prompts, 4, "nowhere", rounds);
    return [compare({ name: "images kept nowhere", unit, ...ends }, ">= 0.9", (r) => r >= 0.9)];
  },
};
