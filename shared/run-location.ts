import { resolve } from "node:path";
import { isS3Location, normalS3Location } from "./s3-location.ts";
import { UsageError } from "./usage-error.ts";

/**
 * A run's location in the one way in which it is written: an absolute path, or `s3://bucket/prefix`.
 * @throws UsageError where it is malformed, or looks like a location of another kind: a typing error must make no folder
 */
export function locationOf(out: string): string {
  if (isS3Location(out)) return normalS3Location(out);
  if (/^([a-z][a-z\d+.-]*:\/\/|s3:)/i.test(out))
    throw new UsageError(
      `expected a folder or a location like s3://bucket/folder, got \`${out}\` (./${out} if it is a folder)`,
    );
  return resolve(out);
}
