import { onTestFinished } from "vitest";
import type { ObjectStore } from "../../shared/object-store.ts";
import { openS3Store } from "../../shared/s3-store.ts";
import { bucketName, s3Options, startS3Server, type S3Server } from "./s3-server.ts";

/** The location that {@link openTestStore} opens unless it is told another one. */
export const testLocation = `s3://${bucketName}/runs/first`;

/** Opens a server that ends with the test. */
export async function openTestServer(): Promise<S3Server> {
  const server = await startS3Server();
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** Opens a location of a server; its connections end with the test. */
export function openTestStore(server: S3Server, at = testLocation, options = {}): ObjectStore {
  const store = openS3Store(at, { ...s3Options(server), ...options });
  onTestFinished(() => store.close());
  return store;
}
