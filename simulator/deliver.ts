import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reply } from "./reply.ts";

/** Reads the body of a request; undefined where it is longer than `maxBytes` or the client goes. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) resolve(undefined);
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("close", () => resolve(undefined));
  });
}

function writeHead(response: ServerResponse, reply: Reply, length: number): void {
  response.writeHead(reply.status, {
    "content-type": reply.contentType,
    "content-length": length,
    ...reply.headers,
  });
}

function bytesOf({ body }: Reply): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : body;
}

/** Sends an answer as a whole. */
export function send(response: ServerResponse, reply: Reply): void {
  const body = bytesOf(reply);
  writeHead(response, reply, body.length);
  response.end(body);
}

/** Sends the first half of an answer whose header promises all of it, then cuts the connection. */
export function sendHalf(response: ServerResponse, reply: Reply): void {
  const body = bytesOf(reply);
  writeHead(response, reply, body.length);
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
}

/**
 * Sends an answer in `pieces` parts, evenly over `durationMs`, but for the last part, which it gives back; undefined
 * where the client or `signal` went before.
 */
export async function sendSlowly(
  response: ServerResponse,
  reply: Reply,
  durationMs: number,
  signal: AbortSignal,
  pieces = 10,
): Promise<Uint8Array | undefined> {
  const body = bytesOf(reply);
  const cut = (piece: number) => Math.floor((body.length * piece) / pieces);
  writeHead(response, reply, body.length);
  for (let piece = 0; piece < pieces; piece++) {
    if (piece > 0) response.write(body.subarray(cut(piece - 1), cut(piece)));
    await sleep(durationMs / pieces, undefined, { signal }).catch(() => undefined);
    if (response.destroyed || signal.aborted) return undefined;
  }
  return body.subarray(cut(pieces - 1));
}

/** Resets the connection: the client sees ECONNRESET. */
export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}
