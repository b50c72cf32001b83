import { httpClientFromFetch, type Fetch } from "./fetch-adapter.ts";
import { createHttpClient, type HttpClient, type ProxySettings } from "./http.ts";

/** The HTTP client of a model with these options: made at the first request, and anew for one after it was closed. */
export function modelHttpClient(options: {
  timeoutMs: number;
  fetch?: Fetch | undefined;
  proxy?: ProxySettings | undefined;
}): HttpClient {
  const { fetch, timeoutMs, proxy } = options;
  let client: HttpClient | undefined;
  const open = () => (fetch ? httpClientFromFetch(fetch) : createHttpClient({ timeoutMs, proxy }));
  return {
    send: (url, request) => (client ??= open()).send(url, request),
    close: async () => {
      const closing = client;
      client = undefined;
      await closing?.close();
    },
  };
}
