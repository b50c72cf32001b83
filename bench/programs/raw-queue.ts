/**
 * The baseline of the queue rows: BullMQ alone, with a worker that does nothing and the same payload. With children: flows of
 * one parent and so many of them. `raw-queue.ts REDIS_URL PROMPTS CONCURRENCY CHILDREN`; prints the seconds.
 */
import { FlowProducer, Queue, Worker } from "bullmq";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { connectRedis } from "../../shared/redis.ts";

const [redisUrl, prompts, concurrency, children] = process.argv.slice(2);
const connection = connectRedis(parseRedisTarget(redisUrl!), { role: "worker" });
const total = Number(prompts) * (1 + Number(children));
const chunk = Number(children) > 0 ? 100 : 1_000;
const options = { removeOnComplete: true, removeOnFail: true };

function job(index: number) {
  const prompt = `prompt ${index} of a benchmark: a lighthouse at dusk, in oil`;
  return { v: 1, run: "abcdefghijkl", round: 0, index, prompt, numGenerations: 1 };
}

const startedAt = performance.now();
const queue = new Queue("raw", { connection });
const flows = new FlowProducer({ connection });
let done = 0;
const finished = Promise.withResolvers<void>();
const worker = new Worker(
  "raw",
  async () => {
    done += 1;
    if (done === total) finished.resolve();
  },
  { connection, concurrency: Number(concurrency) },
);
for (let from = 0; from < Number(prompts); from += chunk) {
  const indexes = Array.from(
    { length: Math.min(chunk, Number(prompts) - from) },
    (_, i) => from + i,
  );
  if (Number(children) === 0) {
    await queue.addBulk(indexes.map((i) => ({ name: "prompt", data: job(i), opts: options })));
    continue;
  }
  await flows.addBulk(
    indexes.map((i) => ({
      name: "prompt",
      queueName: "raw",
      data: job(i),
      opts: options,
      children: Array.from({ length: Number(children) }, (_, generation) => ({
        name: "call",
        queueName: "raw",
        data: { ...job(i), generations: [generation] },
        opts: options,
      })),
    })),
  );
}
await finished.promise;
console.log(JSON.stringify({ seconds: (performance.now() - startedAt) / 1000 }));
await worker.close();
await queue.close();
await flows.close();
connection.disconnect();
