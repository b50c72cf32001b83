import { S3ServiceException } from "@aws-sdk/client-s3";
import { asError } from "./caught.ts";
import type { S3Location } from "./s3-location.ts";
import { StorageError } from "./storage.ts";

const refusedCredentials = [
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "InvalidToken",
  "TokenRefreshRequired",
];

/** HTTP status of an answer; undefined where none came. */
function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** Whether the answer was that a condition of the request does not hold. */
export function isUnmet(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** Whether the answer was that somebody else was writing the same object at that moment: trying again tells more. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409;
}

/** Whether the answer was that there is no such object. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && asError(error).name !== "NoSuchBucket";
}

/** What went wrong with an object and what to do, for people. It holds no key. */
export function s3Error(thrown: unknown, { bucket }: S3Location, url: string): StorageError {
  const error = asError(thrown);
  return new StorageError(`${url}: ${reasonOf(error, bucket)}`, { cause: error });
}

function reasonOf(error: Error, bucket: string): string {
  const { name, message } = error;
  const firstLine = message.split("\n")[0];
  const status = statusOf(error);
  if (name === "NoSuchBucket") return `there is no bucket ${bucket}: create it`;
  if (name === "CredentialsProviderError")
    return "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
  if (message.includes("Region is missing")) return "no region is known: set AWS_REGION";
  if (name === "PermanentRedirect" || name === "AuthorizationHeaderMalformed")
    return `the bucket is in another region (${message}): set AWS_REGION to it`;
  if (refusedCredentials.includes(name))
    return `the credentials were refused (${name}: ${message})`;
  if (name === "RequestTimeTooSkewed") return `this machine's clock is wrong (${message}): set it`;
  if (status === 403)
    return `access was denied (${name}): allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket`;
  if (status === 501) return `the storage cannot do this (${name}: ${message})`;
  if (status !== undefined) return `HTTP ${status} ${name}: ${message}`;
  if (name === "EndpointError")
    return `${message}: set AWS_ENDPOINT_URL_S3 to an address like http://host:9000`;
  // The SDK puts the answer that it cannot read beside its error.
  if ("$response" in error)
    return `what answers there is no S3-compatible storage (${firstLine}): set AWS_ENDPOINT_URL_S3 to the storage's address`;
  const code = "code" in error ? String(error.code) : name;
  return `no answer (${[code, message].filter(Boolean).join(": ")})`;
}
