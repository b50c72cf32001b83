import { createHash, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** One request, as far as it counts. */
export interface S3Request {
  method: string;
  bucket: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** An answer. */
export interface S3Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer | string;
}

/** Bytes by key. */
export type S3Bucket = Map<string, Buffer>;

/** What a server has. */
export interface S3State {
  buckets: ReadonlyMap<string, S3Bucket>;
  /** Parts by upload. */
  uploads: Map<string, Buffer[]>;
  accessKeyId: string;
  knowsConditions: boolean;
}

/** A request that is refused. */
export class S3Refusal extends Error {
  readonly answer: S3Answer;

  constructor(status: number, code: string, message = code) {
    super(message);
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    this.answer = { status, headers: { "content-type": "application/xml" }, body };
  }
}

function tagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function xml(name: string, content: string): S3Answer {
  const body = `<?xml version="1.0"?><${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`;
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}

/** What S3 answers. */
export function answerOf(request: S3Request, state: S3State): S3Answer {
  try {
    const { authorization = "" } = request.headers;
    if (!authorization.includes(`Credential=${state.accessKeyId}/`))
      throw new S3Refusal(403, "InvalidAccessKeyId", "The key does not exist in our records.");
    const objects = state.buckets.get(request.bucket);
    if (!objects) throw new S3Refusal(404, "NoSuchBucket");
    if (request.key === "") return list(objects, request.query);
    if (request.query.has("uploads") || request.query.has("uploadId"))
      return upload(objects, request, state.uploads);
    return ofObject(objects, request, state.knowsConditions);
  } catch (error) {
    if (error instanceof S3Refusal) return error.answer;
    throw error;
  }
}

function ofObject(
  objects: S3Bucket,
  { method, key, headers, body }: S3Request,
  knowsConditions: boolean,
): S3Answer {
  const standing = objects.get(key);
  if (method === "DELETE") {
    objects.delete(key);
    return { status: 204, headers: {}, body: "" };
  }
  if (method === "PUT") {
    const { "if-none-match": ifNoneMatch, "if-match": ifMatch } = headers;
    const isUnmet =
      (ifNoneMatch === "*" && standing !== undefined) ||
      (ifMatch !== undefined && standing !== undefined && ifMatch !== tagOf(standing));
    if (knowsConditions && isUnmet) throw new S3Refusal(412, "PreconditionFailed");
    if (knowsConditions && ifMatch !== undefined && !standing)
      throw new S3Refusal(404, "NoSuchKey");
    objects.set(key, body);
    return { status: 200, headers: { etag: tagOf(body) }, body: "" };
  }
  if (!standing) throw new S3Refusal(404, "NoSuchKey");
  return { status: 200, headers: { etag: tagOf(standing) }, body: standing };
}

/** Pages of 1,000, as S3 gives them. */
function list(objects: S3Bucket, query: URLSearchParams): S3Answer {
  const prefix = query.get("prefix") ?? "";
  const after = query.get("continuation-token") ?? "";
  const delimiter = query.get("delimiter");
  const below = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
  const isFolded = (key: string) => delimiter !== null && key.includes(delimiter, prefix.length);
  const keys = below.filter((key) => !isFolded(key)).toSorted();
  const folders = new Set(
    below.filter(isFolded).map((key) => key.slice(0, key.indexOf("/", prefix.length) + 1)),
  );
  const page = keys.slice(0, 1_000);
  const contents = page.map(
    (key) =>
      `<Contents><Key>${key}</Key><Size>${objects.get(key)!.length}</Size><ETag>${tagOf(objects.get(key)!)}</ETag></Contents>`,
  );
  const folded = [...folders].map(
    (name) => `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`,
  );
  const isCut = keys.length > page.length;
  const next = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return xml(
    "ListBucketResult",
    `<IsTruncated>${isCut}</IsTruncated>${next}${contents.join("")}${folded.join("")}`,
  );
}

/** An object that comes in parts. */
function upload(
  objects: S3Bucket,
  { method, key, query, body }: S3Request,
  uploads: Map<string, Buffer[]>,
): S3Answer {
  if (query.has("uploads")) {
    const id = randomUUID();
    uploads.set(id, []);
    return xml("InitiateMultipartUploadResult", `<UploadId>${id}</UploadId>`);
  }
  const id = query.get("uploadId")!;
  const parts = uploads.get(id);
  if (!parts) throw new S3Refusal(404, "NoSuchUpload");
  if (method === "PUT") {
    parts[Number(query.get("partNumber")) - 1] = body;
    return { status: 200, headers: { etag: tagOf(body) }, body: "" };
  }
  uploads.delete(id);
  if (method === "DELETE") return { status: 204, headers: {}, body: "" };
  objects.set(key, Buffer.concat(parts));
  return xml("CompleteMultipartUploadResult", `<Key>${key}</Key>`);
}
