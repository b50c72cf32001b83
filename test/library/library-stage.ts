import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import {
  AsyncImageGenerationModel,
  createWorker,
  openRun,
  steerRun,
  type CallOptions,
  type CreateWorkerOptions,
  type ImageGeneration,
  type ImageWorker,
  type OpenRunOptions,
  type OwnProvider,
  type PromptResult,
  type Run,
  type SteeredRun,
  type SteerRunOptions,
} from "../../index.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { startSimulator, type Simulator } from "../../simulator/simulator.ts";
import { type TestRedis, uniquePrefix } from "../helpers/redis.ts";

/** What a program that embeds imagemill has: a Redis, a provider, a folder. */
export interface LibraryStage extends AsyncDisposable {
  readonly out: string;
  readonly simulator: Simulator;
  /** A run of the simulator's model for one image a call, whatever is changed. */
  open(options?: Partial<OpenRunOptions>): Promise<Run>;
  work(options?: Partial<CreateWorkerOptions>): Promise<ImageWorker>;
  /** Steers a run from outside. */
  steer(options: SteerRunOptions): Promise<SteeredRun>;
}

/** Use it with `await using`: what it has opened ends with it. */
export async function openLibraryStage(
  server: TestRedis,
  behaviour: SimulatorOptions = {},
): Promise<LibraryStage> {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "imagemill-library-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const simulator = stack.use(await startSimulator(behaviour));
  const out = join(folder, "out");
  const own = { redis: server.url, prefix: uniquePrefix() };
  const provider = { kind: "openai", baseUrl: `${simulator.url}/v1` } as const;
  return {
    out,
    simulator,
    open: async (options) =>
      stack.use(await openRun({ ...own, out, provider, model: "imagemill-sim-1", ...options })),
    work: async (options) =>
      stack.use(await createWorker({ ...own, providers: [provider], ...options })),
    steer: (options) => steerRun({ ...own, ...options }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** `prompt 0 of a test` and so on. */
export function prompts(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `prompt ${i} of a test`);
}

/** All results of a run, in the order of the dataset. */
export async function allResults(run: Run): Promise<PromptResult[]> {
  const results: PromptResult[] = [];
  for await (const result of run.results()) results.push(result);
  return results.toSorted((a, b) => a.index - b.index);
}

const Parameters = z.object({
  style: z.enum(["plain", "bold"]).default("plain"),
  seed: z.int().optional(),
});

/** A model of one's own, which has one picture for everything. */
export class OnePicture extends AsyncImageGenerationModel<typeof Parameters> {
  readonly parameters = Parameters;
  override readonly maxGenerationsPerCall = 2;
  override readonly maxPromptChars = 40;
  /** The calls that were made, by any of them. */
  static calls: { prompt: string; style: string; numGenerations: number }[] = [];
  static readonly picture = readFileSync(new URL("../fixtures/images/noise.png", import.meta.url));

  override async agenerate(
    prompt: string,
    { numGenerations, parameters: { style }, seed }: CallOptions<z.output<typeof Parameters>>,
  ): Promise<ImageGeneration> {
    OnePicture.calls.push({ prompt, style, numGenerations });
    const image = { bytes: OnePicture.picture, ...(seed !== undefined && { seed }) };
    return { images: Array.from({ length: numGenerations }, () => image) };
  }
}

/** The provider of {@link OnePicture}. */
export const onePicture: OwnProvider = { name: "one-picture", createModel: () => new OnePicture() };
