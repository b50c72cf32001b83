import { EnvHttpProxyAgent } from "undici";
import type { HttpAnswer } from "./answer-reader.ts";
import { sendRequest, type HttpRequest } from "./http-exchange.ts";
import { publicLookup, type Resolve } from "./public-address.ts";

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
 * broken connection would end every call that shares it.
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
    send: (url, request) => sendRequest(request.publicOnly ? publicAgent : agent, url, request),
    close: async () => {
      await Promise.all([agent.destroy(), publicAgent.destroy()]);
    },
  };
}
