import type { PlaceAccess } from "../producer/open-place.ts";
import { cacheDirectory } from "./cache-directory.ts";

/**
 * How runs at `s3://` locations are reached from the command line: the SDK looks for credentials, region and endpoint in its
 * standard variables and profiles. Where an endpoint is named, it is not AWS: most of those want the bucket in the path and
 * know no checksums but those that are needed.
 */
export function placeAccess(env: NodeJS.ProcessEnv): PlaceAccess {
  const isElsewhere = Boolean(env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"]);
  const asksForChecksums = Boolean(env["AWS_REQUEST_CHECKSUM_CALCULATION"]);
  return {
    s3: {
      ...(isElsewhere && { forcePathStyle: true }),
      ...(isElsewhere && !asksForChecksums && { requestChecksumCalculation: "WHEN_REQUIRED" }),
    },
    cacheFolder: cacheDirectory(env),
  };
}
