import { TooLargeError, type HttpAnswer, type HttpClient, type Progress } from "./http.ts";

/** The `fetch` that a client is given. */
export type Fetch = typeof globalThis.fetch;

/** One call through an official client: how far it is, and the answer that came last. */
export interface Exchange {
  progress: Progress;
  /** Largest answer in bytes. */
  maxBytes: number;
  answer?: HttpAnswer;
  /** Makes the text of a successful answer, where that is not simply its bytes. */
  readText?: (bytes: Buffer) => string;
}

/**
 * A `fetch` over an HTTP client, for the providers' official clients. Its responses have what those clients use: status,
 * headers, and the body as text or JSON.
 * @param shared the exchange of every request, where `init.exchange` gives none of its own
 */
export function asFetch(http: HttpClient, shared?: Exchange): Fetch {
  return async (input, init: RequestInit & { exchange?: Exchange } = {}) => {
    const exchange = init.exchange ?? shared;
    if (!exchange) throw new Error("a fetch without an exchange");
    const { progress, maxBytes } = exchange;
    progress.phase = "connecting";
    delete exchange.answer;
    const answer = await http.send(input instanceof Request ? input.url : String(input), {
      method: init.method ?? "GET",
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof init.body === "string" && { body: init.body }),
      signal: init.signal ?? undefined,
      maxBytes,
      progress,
    });
    exchange.answer = answer;
    return asResponse(answer, exchange);
  };
}

/**
 * A response without streams: the body is there already. `blob()` is empty on purpose: the Hugging Face client only
 * passes it on, and we take the bytes from the exchange without a copy.
 */
function asResponse({ status, headers, bytes }: HttpAnswer, { readText }: Exchange): Response {
  const ok = status >= 200 && status < 300;
  const text = () => (ok && readText ? readText(bytes) : bytes.toString("utf8"));
  const response = {
    ok,
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

/** An HTTP client over a given `fetch`. */
export function httpClientFromFetch(fetch: Fetch): HttpClient {
  return {
    async send(
      url,
      { method = "GET", headers = {}, body, signal, maxBytes, progress = { phase: "connecting" } },
    ) {
      progress.phase = "waiting for the answer";
      const init = {
        method,
        headers,
        body: body ?? null,
        signal: signal ?? null,
        redirect: "manual",
      } as const;
      const response = await fetch(url, init);
      progress.phase = "reading the answer";
      return {
        status: response.status,
        headers: response.headers,
        bytes: await readBody(response, maxBytes),
      };
    },
    close: async () => {},
  };
}

async function readBody(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLargeError(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
