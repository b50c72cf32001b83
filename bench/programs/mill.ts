/**
 * A whole run in one process, by a provider that answers at once in the same process.
 * `mill.ts REDIS_URL DATASET OUT IMAGES_PER_PROMPT files|nowhere CONCURRENCY`; prints the seconds from opening the run to its
 * last output file, and the most memory that it had.
 */
import { resourceUsage } from "node:process";
import { statSync } from "node:fs";
import { boundHeap } from "../../cli/bound-heap.ts";
import { openRun } from "../../producer/open-run.ts";
import { z } from "zod";
import { profileIdentity, type Profile } from "../../shared/profile.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { createWorker, type ImageWorker } from "../../worker/create-worker.ts";
import type { ImageGeneration } from "../../worker/providers/image-generation.ts";
import { AsyncImageGenerationModel } from "../../worker/providers/image-model.ts";

const [redisUrl, dataset, out, images, storage, concurrency] = process.argv.slice(2);

/** The smallest image there is. */
const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

class InstantModel extends AsyncImageGenerationModel {
  override readonly modelName = "imagemill-sim-1";
  override readonly maxGenerationsPerCall = 1;
  override readonly parameters = z.object({});

  override async agenerate(): Promise<ImageGeneration> {
    return { images: [{ bytes: pixel }] };
  }
}

const profile: Profile = {
  name: "bench",
  kind: "openai",
  keyVariable: "NONE",
  baseUrl: "http://0",
};
const redis = parseRedisTarget(redisUrl!);
const nowhere = () => ({ put: async () => undefined, get: async () => undefined });
if (statSync(dataset!).size === 0) throw new Error(`${dataset} is empty`);

// As the command line does.
boundHeap();
let worker: ImageWorker | undefined;
const startedAt = performance.now();
const run = await openRun({
  out: out!,
  settings: {
    source: { path: dataset!, format: "jsonl", promptColumn: "prompt", paramFrom: {} },
    profile: profileIdentity(profile),
    model: "imagemill-sim-1",
    parameters: {},
    numGenerations: Number(images),
    maxGenerationsPerCall: 1,
    limit: null,
    attempts: 3,
    maxCostUsd: null,
    pricePerImageUsd: null,
    timeoutMs: 60_000,
    durable: false,
    seed: 1,
  },
  queue: async () => ({ redis, isPrivate: true }),
  passThrough: false,
  onOpened: async () => {
    worker = await createWorker({
      redis,
      profiles: [profile],
      concurrency: Number(concurrency),
      isOnlyWorker: true,
      createModel: async () => new InstantModel(),
      ...(storage === "nowhere" && { openStorage: nowhere }),
    });
  },
});
const { state } = await run.finished;
const seconds = (performance.now() - startedAt) / 1000;
if (state !== "completed") throw new Error(`the run ended as ${state}`);
await worker?.close(0);
console.log(JSON.stringify({ seconds, peakRssBytes: resourceUsage().maxRSS * 1024 }));
