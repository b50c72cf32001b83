import { EnvHttpProxyAgent, type Dispatcher } from "undici";
import { asError } from "../../shared/caught.ts";
import type { AnswerShare } from "../answer-memory.ts";
import { AnswerReader, type AnswerLimits, type HttpAnswer } from "./answer-reader.ts";
import { publicLookup, type Resolve } from "./public-address.ts";

/** How far an exchange has come. What never got past `connecting` was never received by the provider. */
export interface Progress {
  phase: "connecting" | "waiting for the answer" | "reading the answer" | "fetching the images";
}

/** One HTTP request. Redirects are answers like others. */
export interface HttpRequest extends AnswerLimits {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
  /**
   * Asks only a host whose addresses are all of the public Internet: they are checked as the connection is made. Names
   * that go through a proxy are resolved by the proxy and not checked.
   */
  publicOnly?: boolean;
  /** Kept up to date while the exchange goes on. */
  progress?: Progress;
  /** Where a successful answer finds room before it is read. Default: anywhere. */
  memory?: AnswerShare | undefined;
}

/** Sends requests and reads answers whole. Rejects with the transport's own error or the signal's reason. */
export interface HttpClient {
  send(url: string, request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
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
 * @param options.resolve looks up the names of `publicOnly` requests. Default: the system
 */
export function createHttpClient(options: {
  timeoutMs: number;
  proxy?: ProxySettings | undefined;
  resolve?: Resolve | undefined;
}): HttpClient {
  const { timeoutMs, proxy = {}, resolve } = options;
  const settings = {
    allowH2: false,
    headersTimeout: timeoutMs + 10_000,
    bodyTimeout: timeoutMs + 10_000,
    connectTimeout: Math.min(maxConnectMs, timeoutMs),
    // What is not encrypted needs no tunnel, and many proxies refuse one to port 80.
    proxyTunnel: false,
    // Empty and not undefined: undefined would read the environment.
    httpProxy: proxy.httpProxy ?? "",
    httpsProxy: proxy.httpsProxy ?? proxy.httpProxy ?? "",
    noProxy: proxy.noProxy ?? "",
  };
  const agent = new EnvHttpProxyAgent(settings);
  const publicAgent = new EnvHttpProxyAgent({
    ...settings,
    connect: { lookup: publicLookup(resolve) },
  });
  return {
    send: (url, request) => dispatch(request.publicOnly ? publicAgent : agent, url, request),
    close: async () => {
      await Promise.all([agent.destroy(), publicAgent.destroy()]);
    },
  };
}

function dispatch(agent: Dispatcher, url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body = null, signal } = request;
  const progress = request.progress ?? { phase: "connecting" };
  const { origin, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let reader: AnswerReader | undefined;
    const settle = () => signal?.removeEventListener("abort", abort);
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const cut = (error: unknown) => {
      fail(error);
      controller?.abort(asError(error));
    };
    const abort = () => cut(signal?.reason);
    const end = () => {
      settle();
      if (reader) resolve(reader.end());
    };
    const attempt = (step: () => void) => {
      try {
        step();
      } catch (error) {
        cut(error);
      }
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    const target = { origin, path: pathname + search, method, headers, body };
    agent.dispatch(target, {
      onRequestStart(started) {
        controller = started;
        if (signal?.aborted) return started.abort(asError(signal.reason));
        progress.phase = "waiting for the answer";
      },
      onResponseStart(reading, status, received) {
        if (status < 200) return;
        progress.phase = "reading the answer";
        const told = toHeaders(received);
        const read = () => attempt(() => (reader = new AnswerReader(status, told, request)));
        const room = roomFor(status, told, request);
        if (!room) return read();
        reading.pause();
        void readOnce(room, reading, read);
      },
      onResponseData(reading, chunk) {
        attempt(() => {
          if (reader?.add(chunk) !== false) return;
          end();
          reading.abort(new Error("enough was read of an error"));
        });
      },
      onResponseEnd: () => attempt(end),
      onResponseError: (_, error) => fail(error),
    });
  });
}

/** Lets the provider go on sending when there is room. */
async function readOnce(
  room: Promise<void>,
  reading: Dispatcher.DispatchController,
  read: () => void,
): Promise<void> {
  await room;
  read();
  reading.resume();
}

/** A promise of room for a successful answer where there is none now; error pages are small. */
export function roomFor(
  status: number,
  headers: Headers,
  { memory, maxBytes }: HttpRequest,
): Promise<void> | undefined {
  const announced = Number(headers.get("content-length") ?? 0);
  if (status < 200 || status >= 300 || announced > maxBytes) return undefined;
  return memory?.take(announced);
}

function toHeaders(received: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    if (value !== undefined)
      headers.set(name, typeof value === "string" ? value : value.join(", "));
  }
  return headers;
}
