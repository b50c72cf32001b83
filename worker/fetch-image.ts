import { setTimeout as delay } from "node:timers/promises";
import { ProviderError } from "../shared/failure.ts";
import { decodeBase64 } from "./providers/decode-base64.ts";
import { classifyTransport } from "./providers/classify-transport.ts";
import type { HttpAnswer, HttpClient } from "./providers/http.ts";
import type { Secrets } from "./providers/safe-message.ts";

/** How images at URLs are fetched. */
export interface FetchImageOptions {
  http: HttpClient;
  signal: AbortSignal;
  maxBytes: number;
  /** The provider's base URL: relative URLs are resolved by it, and its host may be asked over plain http. */
  baseUrl: string;
  secrets: Secrets;
}

const maxRedirects = 5;
/** Waits before the second and third try: the image has been paid for already. */
const retryWaitsMs = [200, 1000];

/**
 * Fetches an image that a provider answered with as a URL: https anywhere, http only at the provider's own host. No key is
 * sent. A host that is briefly away is tried three times.
 * @throws ProviderError `bad_response` (refused, gone, too large) or `unavailable`
 * @throws the signal's reason
 */
export async function fetchImage(url: string, options: FetchImageOptions): Promise<Buffer> {
  if (url.startsWith("data:")) return decodeDataUrl(url);
  for (let tries = 0; ; tries++) {
    try {
      return await fetchOnce(url, options);
    } catch (error) {
      options.signal.throwIfAborted();
      const failure =
        error instanceof ProviderError
          ? error
          : classifyTransport(error, options.secrets, { phase: "fetching the images" });
      const waitMs = retryWaitsMs[tries];
      if (waitMs === undefined || failure.kind === "bad_response") throw failure;
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}

async function fetchOnce(
  url: string,
  { http, signal, maxBytes, baseUrl }: FetchImageOptions,
): Promise<Buffer> {
  let target = resolveUrl(url, baseUrl);
  for (let hops = 0; hops <= maxRedirects; hops++) {
    refuseForeign(target, baseUrl);
    const answer = await http.send(target.href, { signal, maxBytes });
    const location = readRedirect(answer);
    if (location === undefined) return takeBytes(answer);
    target = resolveUrl(location, target.href);
  }
  throw new ProviderError("bad_response", `its URL redirects more than ${maxRedirects} times`);
}

function resolveUrl(url: string, base: string): URL {
  if (!URL.canParse(url, base)) throw new ProviderError("bad_response", "its URL is not a URL");
  return new URL(url, base);
}

/** The one place that decides which addresses may be asked. */
function refuseForeign({ protocol, hostname }: URL, baseUrl: string): void {
  if (protocol === "https:") return;
  if (protocol === "http:" && hostname === new URL(baseUrl).hostname) return;
  const where =
    protocol === "http:" ? "http on another host than the provider's" : `the scheme ${protocol}`;
  throw new ProviderError("bad_response", `its URL has ${where}: expected https`);
}

function readRedirect({ status, headers }: HttpAnswer): string | undefined {
  return status >= 300 && status < 400 ? (headers.get("location") ?? undefined) : undefined;
}

function takeBytes({ status, bytes }: HttpAnswer): Buffer {
  if (status >= 200 && status < 300) return bytes;
  const kind = status >= 500 || status === 429 || status === 408 ? "unavailable" : "bad_response";
  throw new ProviderError(kind, `fetching it from its URL gave HTTP ${status}`, { status });
}

function decodeDataUrl(url: string): Buffer {
  const bytes = decodeBase64(url);
  if (!bytes) throw new ProviderError("bad_response", "its data URL is not base64");
  return bytes;
}
