import type { SimulatorOptions } from "../../simulator/settings.ts";
import { startS3Server, type S3Server } from "./s3-server.ts";
import { openStage, type Stage } from "./stage.ts";

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
