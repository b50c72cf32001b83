import { resolve } from "node:path";
import { isS3Location, normalS3Location } from "./s3-location.ts";

/** A run's location in the one way in which it is written: an absolute path, or `s3://bucket/prefix`. @throws UsageError */
export function locationOf(out: string): string {
  return isS3Location(out) ? normalS3Location(out) : resolve(out);
}
