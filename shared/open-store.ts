import type { S3ClientConfig } from "@aws-sdk/client-s3";
import type { Cleanup } from "./cleanup.ts";
import type { ObjectStore } from "./object-store.ts";
import { objectState } from "./object-state.ts";
import { isS3Location } from "./s3-location.ts";
import { stateFilesOf, type StateFiles } from "./state-files.ts";
import { UsageError } from "./usage-error.ts";

/** How S3-compatible storage is reached: options of the SDK's client. What is not given it looks for in its standard places. */
export type S3Options = S3ClientConfig;

/**
 * Opens an `s3://` location. The SDK is loaded by the first one that is opened.
 * @throws UsageError where the location is malformed or there are no options
 */
export async function openStore(location: string, s3: S3Options | undefined): Promise<ObjectStore> {
  if (!s3)
    throw new UsageError(
      `to use ${location}, give \`s3\`: options of the SDK's client, {} to find credentials and region in its standard places`,
    );
  const { openS3Store } = await import("./s3-store.ts");
  return openS3Store(location, s3);
}

/**
 * The state files of a run at a location: a path, or `s3://bucket/prefix`. What they hold open is closed with `stack`.
 * @throws UsageError as {@link openStore} does
 */
export async function openState(
  location: string,
  s3: S3Options | undefined,
  stack: Cleanup,
): Promise<StateFiles> {
  if (!isS3Location(location)) return stateFilesOf(location);
  const store = await openStore(location, s3);
  stack.defer(() => store.close());
  return objectState(store);
}
