import { UsageError } from "./usage-error.ts";

const scheme = "s3://";

/** A place in an object store: everything of it has names that begin with `prefix`, which is empty or ends with a slash. */
export interface S3Location {
  bucket: string;
  prefix: string;
}

/** Whether a run's location is in an object store, not in a folder. */
export function isS3Location(location: string): boolean {
  return location.startsWith(scheme);
}

/**
 * The parts of `s3://bucket/prefix`.
 * @throws UsageError where it is malformed
 */
export function parseS3Location(location: string): S3Location {
  const [bucket = "", ...folders] = location.slice(scheme.length).split("/");
  const path = folders.join("/").replace(/\/+$/, "");
  // A listing is XML, which has no names for most control characters.
  const hasControls = /\p{Cc}/u.test(path);
  const isClean =
    path === "" ||
    (!hasControls && path.split("/").every((part) => !["", ".", ".."].includes(part)));
  if (!isS3Location(location) || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || !isClean)
    throw new UsageError(
      `expected a location like s3://bucket/folder, with a bucket's name of 3 to 63 small letters, digits, \`.\` and \`-\`, got \`${location}\``,
    );
  return { bucket, prefix: path === "" ? "" : `${path}/` };
}

/** One spelling for one place: the location without slashes at its end. @throws UsageError where it is malformed */
export function normalS3Location(location: string): string {
  const { bucket, prefix } = parseS3Location(location);
  return `${scheme}${bucket}/${prefix}`.replace(/\/$/, "");
}
