import type { SimulatorOptions } from "../../simulator/settings.ts";
import { settledIn as settledBelow } from "./bucket-run.ts";
import type { RunningCli } from "./cli.ts";
import { bucketName, startS3Server, type S3Server } from "./s3-server.ts";
import { openStage, promptRows, type Stage } from "./stage.ts";

/** Where the keys of the run in the bucket begin. */
export const prefix = "runs/first/";
/** The run directory there. */
export const location = `s3://${bucketName}/runs/first`;

/** A stage whose commands reach a bucket. */
export interface S3Stage extends AsyncDisposable {
  stage: Stage;
  server: S3Server;
}

/** Sets both up. Use it with `await using`. */
export async function openS3Stage(options: SimulatorOptions = {}): Promise<S3Stage> {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startS3Server());
  const stage = stack.use(await openStage(options));
  Object.assign(stage.env, server.env, { AWS_MAX_ATTEMPTS: "2" });
  return { stage, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** How many results of the run the bucket holds. */
export function settledIn({ bucket }: S3Server): number {
  return settledBelow(bucket, prefix);
}

/** A dataset of so many prompts, two images each. */
export function asked(stage: Stage, prompts: number): string[] {
  return [stage.dataset(promptRows(prompts)), "-m", "dall-e-3", "-n", "2", "--json"];
}

/** Makes that in the bucket; killed when the test ends. */
export function run(stage: Stage, what: readonly string[]): RunningCli {
  return stage.startCli("run", ...what, "-c", "6", "--out", location);
}
