import type { AnswerShare } from "../answer-memory.ts";
import { AnswerReader, type HttpAnswer, isSuccess } from "./answer-reader.ts";
import { roomFor, tellLength, type Progress } from "./http-exchange.ts";
import type { HttpClient } from "./http.ts";
import { lowerCased } from "./lower-cased.ts";
import { splitUrl } from "./split-url.ts";

/** The `fetch` that a client is given. */
export type Fetch = typeof globalThis.fetch;

/** One call through an official client: how far it is, and the answer that came last. */
export interface Exchange {
  progress: Progress;
  /** Largest answer in bytes. */
  maxBytes: number;
  answer?: HttpAnswer;
  /** Where successful answers find room before they are read. */
  memory?: AnswerShare | undefined;
  /** Sent besides the client's own. */
  headers?: Record<string, string>;
}

/**
 * A `fetch` over an HTTP client, for the providers' official clients. Its responses have what those clients use: status,
 * headers, and the body as text or JSON.
 */
export function asFetch(http: HttpClient, exchange: Exchange): Fetch {
  return async (input, init = {}) => {
    const { progress, maxBytes, memory } = exchange;
    progress.phase = "connecting";
    delete exchange.answer;
    const { url, authorization } = splitUrl(input instanceof Request ? input.url : String(input));
    const headers = lowerCased(init.headers);
    const answer = await http.send(url, {
      method: init.method ?? "GET",
      headers: {
        ...(authorization && { authorization }),
        ...headers,
        ...lowerCased(exchange.headers),
      },
      ...(typeof init.body === "string" && { body: init.body }),
      signal: init.signal ?? undefined,
      maxBytes,
      progress,
      memory,
    });
    exchange.answer = answer;
    return asResponse(answer);
  };
}

/**
 * A response without streams: the body is there already. `blob()` is empty on purpose: the Hugging Face client only
 * passes it on, and we take the bytes from the exchange without a copy.
 */
function asResponse({ status, headers, body }: HttpAnswer): Response {
  const text = () => body.text();
  const response = {
    ok: isSuccess(status),
    status,
    statusText: "",
    headers,
    url: "",
    body: null,
    text: async () => text(),
    json: async () => JSON.parse(text()) as unknown,
    blob: async () => new Blob([], { type: headers.get("content-type") ?? "" }),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parts that are missing are never asked for
  return response as unknown as Response;
}

/** An HTTP client over a given `fetch`. Which addresses its sockets may reach is for whoever gave it. */
export function httpClientFromFetch(fetch: Fetch): HttpClient {
  return {
    async send(url, request) {
      const { method = "GET", headers = {}, body = null, signal = null } = request;
      const progress = request.progress ?? { phase: "connecting" };
      progress.phase = "waiting for the answer";
      const response = await fetch(url, { method, headers, body, signal, redirect: "manual" });
      progress.phase = "reading the answer";
      await roomFor(response.status, response.headers, request);
      const reader = new AnswerReader(response.status, unpackedHeaders(response), request);
      for await (const chunk of response.body ?? []) {
        if (!reader.add(asBuffer(chunk))) break;
      }
      const answer = await reader.end();
      tellLength(answer, response.headers, request);
      return answer;
    },
    close: async () => {},
  };
}

/** `fetch` unpacks bodies, but leaves the headers of the packed one. */
function unpackedHeaders(response: Response): Headers {
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return headers;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
