import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { asError } from "../../shared/caught.ts";
import { answerOf, S3Refusal, type S3Bucket, type S3Request } from "./s3-objects.ts";

/** What goes wrong with a request: it is refused, or done while its answer is lost. */
export type S3Trouble = S3Refusal | "answer lost";

/** A small S3-compatible server that speaks real HTTP: it keeps everything in memory and can be told to fail. */
export interface S3Server extends AsyncDisposable {
  readonly url: string;
  /** What the command line's environment has to hold to use it. */
  readonly env: Record<string, string>;
  /** Its one bucket. */
  readonly bucket: S3Bucket;
  /** Every request so far, as `METHOD key`. */
  readonly requests: string[];
  /** Asked at each request. */
  trouble: (request: S3Request) => S3Trouble | undefined;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** False: it takes every put, as storages do that know no conditions. */
  knowsConditions: boolean;
}

/** The one bucket of {@link startS3Server}. */
export const bucketName = "pictures";
const accessKeyId = "AKIATEST";
const secretAccessKey = "hidden-secret-of-the-bucket";

async function readRequest(request: IncomingMessage): Promise<S3Request> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const [bucket = "", ...path] = url.pathname.slice(1).split("/").map(decodeURIComponent);
  const key = path.join("/");
  const body = await buffer(request);
  const { method = "GET", headers } = request;
  return { method, bucket, key, query: url.searchParams, headers, body };
}

/** Starts the server on a free port. Use it with `await using`. */
export async function startS3Server(port = 0): Promise<S3Server> {
  const objects: S3Bucket = new Map();
  const uploads = new Map<string, Buffer[]>();
  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = await readRequest(incoming);
    server.requests.push(`${request.method} ${request.key}`);
    const trouble = server.trouble(request);
    const answer =
      trouble instanceof S3Refusal
        ? trouble.answer
        : answerOf(request, {
            buckets: new Map([[bucketName, objects]]),
            uploads,
            accessKeyId,
            knowsConditions: server.knowsConditions,
          });
    if (trouble === "answer lost") {
      incoming.socket.destroy();
      return;
    }
    const { status, headers, body } = answer;
    const id = createHash("md5").update(request.key).digest("hex").slice(0, 16);
    const length = String(Buffer.byteLength(body));
    response.writeHead(status, { "x-amz-request-id": id, "content-length": length, ...headers });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  const http = createServer((incoming, response) => {
    respond(incoming, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("expected a port of TCP");
  const url = `http://127.0.0.1:${address.port}`;
  const server: S3Server = {
    url,
    env: {
      AWS_ENDPOINT_URL_S3: url,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: "us-east-1",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    bucket: objects,
    requests: [],
    trouble: () => undefined,
    connections: promisify(http.getConnections.bind(http)),
    knowsConditions: true,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
  return server;
}

/** The SDK's options for it. */
export function s3Options(server: S3Server) {
  return {
    endpoint: server.url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    // The SDK tries again by itself: tests that wait for its last try would take long.
    maxAttempts: 2,
  };
}
