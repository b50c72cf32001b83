import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { EnvHttpProxyAgent, type Dispatcher } from "undici";

/** How far an exchange has come. What never got past `connecting` was never received by the provider. */
export interface Progress {
  phase: "connecting" | "waiting for the answer" | "reading the answer" | "fetching the images";
}

/** One HTTP request. Redirects are answers like others. */
export interface HttpRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
  /** Largest answer in bytes that is read. */
  maxBytes: number;
  /** Kept up to date while the exchange goes on. */
  progress?: Progress;
}

/** A whole answer. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  bytes: Buffer;
}

/** Sends requests and reads answers whole. Rejects with the transport's own error or the signal's reason. */
export interface HttpClient {
  send(url: string, request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** The answer is larger than the request's `maxBytes`. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";

  constructor(maxBytes: number) {
    super(`the answer is larger than ${maxBytes} bytes`);
  }
}

/** Proxies by the scheme of the target, as in the usual environment variables. */
export interface ProxySettings {
  httpProxy?: string | undefined;
  httpsProxy?: string | undefined;
  noProxy?: string | undefined;
}

const maxConnectMs = 10_000;

/**
 * The default client: undici's dispatcher with kept-alive connections, one request each. HTTP/2 is off, since there one
 * broken connection would end every call that shares it. A handler of its own instead of `fetch`, because streams cost a
 * third of the throughput of small images, and since only here it shows whether a request was sent.
 * @param options.timeoutMs the longest call; undici's own limits lie above it
 */
export function createHttpClient(options: {
  timeoutMs: number;
  proxy?: ProxySettings | undefined;
}): HttpClient {
  const { timeoutMs, proxy = {} } = options;
  const agent = new EnvHttpProxyAgent({
    allowH2: false,
    headersTimeout: timeoutMs + 10_000,
    bodyTimeout: timeoutMs + 10_000,
    connectTimeout: Math.min(maxConnectMs, timeoutMs),
    // Empty and not undefined: undefined would read the environment.
    httpProxy: proxy.httpProxy ?? "",
    httpsProxy: proxy.httpsProxy ?? proxy.httpProxy ?? "",
    noProxy: proxy.noProxy ?? "",
  });
  return {
    send: async (url, request) => decompress(await dispatch(agent, url, request), request.maxBytes),
    close: () => agent.destroy(),
  };
}

function dispatch(agent: Dispatcher, url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { method = "GET", headers, body, signal, maxBytes } = request;
  const progress = request.progress ?? { phase: "connecting" };
  const { origin, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let answerHeaders = new Headers();
    let collector: Collector | undefined;
    const settle = () => signal?.removeEventListener("abort", abort);
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const abort = () => {
      fail(signal?.reason);
      controller?.abort(asError(signal?.reason));
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    const target = {
      origin,
      path: pathname + search,
      method,
      headers: headers ?? {},
      body: body ?? null,
    };
    agent.dispatch(target, {
      onRequestStart(started) {
        controller = started;
        if (signal?.aborted) return started.abort(asError(signal.reason));
        progress.phase = "waiting for the answer";
      },
      onResponseStart(_, statusCode, received) {
        if (statusCode < 200) return;
        progress.phase = "reading the answer";
        status = statusCode;
        answerHeaders = toHeaders(received);
        collector = new Collector(Number(received["content-length"] ?? 0), maxBytes);
      },
      onResponseData(reading, chunk) {
        if (!collector?.add(chunk)) reading.abort(new TooLargeError(maxBytes));
      },
      onResponseEnd() {
        settle();
        resolve({ status, headers: answerHeaders, bytes: collector?.whole() ?? Buffer.alloc(0) });
      },
      onResponseError: (_, error) => fail(error),
    });
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}

function toHeaders(received: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    if (value !== undefined)
      headers.set(name, typeof value === "string" ? value : value.join(", "));
  }
  return headers;
}

/** Puts chunks together, copying each byte once at most, and counts them. */
class Collector {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #whole: Buffer | undefined;
  #size = 0;

  constructor(announced: number, maxBytes: number) {
    this.#maxBytes = maxBytes;
    // The announced size is trusted only up to a point: nothing arrives yet.
    const isWorthIt = announced > 65_536 && announced <= Math.min(maxBytes, 16 * 1024 * 1024);
    this.#whole = isWorthIt ? Buffer.allocUnsafeSlow(announced) : undefined;
  }

  /** False where the answer grew too large. */
  add(chunk: Buffer): boolean {
    if (this.#size + chunk.length > this.#maxBytes) return false;
    if (this.#whole) chunk.copy(this.#whole, this.#size);
    else this.#chunks.push(chunk);
    this.#size += chunk.length;
    return true;
  }

  whole(): Buffer {
    if (this.#whole) return this.#whole.subarray(0, this.#size);
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size);
  }
}

const decoders: Record<string, typeof gunzip> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
};

/** No encoding is asked for, but some servers compress regardless. */
async function decompress(answer: HttpAnswer, maxBytes: number): Promise<HttpAnswer> {
  const encoding = answer.headers.get("content-encoding")?.trim().toLowerCase();
  if (!encoding || encoding === "identity" || answer.bytes.length === 0) return answer;
  const limit = { maxOutputLength: maxBytes };
  if (encoding === "br")
    return { ...answer, bytes: await promisify(brotliDecompress)(answer.bytes, limit) };
  const decode = decoders[encoding];
  return decode ? { ...answer, bytes: await promisify(decode)(answer.bytes, limit) } : answer;
}
