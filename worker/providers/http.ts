import type { Dispatcher } from "undici";
import Agent from "undici/lib/dispatcher/agent.js";
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
  };
  const agent = createAgent(settings, proxy);
  const connect = { lookup: publicLookup(resolve) };
  const publicAgent = createAgent({ ...settings, connect }, proxy);
  // The error of one that cannot be made is that of the requests through it, if any come.
  for (const each of [agent, publicAgent]) each.catch(() => undefined);
  return {
    send: async (url, request) =>
      await sendRequest(await (request.publicOnly ? publicAgent : agent), url, request),
    close: async () => {
      for (const made of await Promise.allSettled([agent, publicAgent]))
        if (made.status === "fulfilled") await made.value.destroy();
    },
  };
}

/** undici as a whole, which its agents for proxies need, is loaded for them alone. */
async function createAgent(
  settings: Agent.Options,
  { httpProxy = "", httpsProxy = httpProxy, noProxy = "" }: ProxySettings,
): Promise<Dispatcher> {
  if (!httpProxy && !httpsProxy) return new Agent(settings);
  const { EnvHttpProxyAgent } = await import("undici");
  return new EnvHttpProxyAgent({
    ...settings,
    // What is not encrypted needs no tunnel, and many proxies refuse one to port 80.
    proxyTunnel: false,
    // Empty and not undefined: undefined would read the environment.
    httpProxy,
    httpsProxy,
    noProxy,
  });
}
