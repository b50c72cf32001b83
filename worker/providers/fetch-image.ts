import { setTimeout as delay } from "node:timers/promises";
import { ProviderError } from "../../shared/failure.ts";
import { checkHead, ImageCheckError } from "../../shared/image-check.ts";
import type { AnswerShare } from "../answer-memory.ts";
import { decodeBase64 } from "./decode-base64.ts";
import { classifyTransport } from "./classify-transport.ts";
import { type HttpAnswer, isSuccess } from "./answer-reader.ts";
import type { HttpClient } from "./http.ts";
import { refuseNonPublicLiteral } from "./public-address.ts";
import type { Secrets } from "./safe-message.ts";

/** How images at URLs are fetched. */
export interface FetchImageOptions {
  http: HttpClient;
  signal: AbortSignal;
  /** Where the image finds room before it is read. */
  memory?: AnswerShare | undefined;
  maxBytes: number;
  /** The provider's base URL: relative URLs are resolved by it. */
  baseUrl: string;
  /** Hosts, with or without a port, besides the base URL's that may be private and speak plain http. Default none. */
  imageHosts?: readonly string[] | undefined;
  secrets: Secrets;
}

const maxRedirects = 3;
/** Waits before the second and third try: the image has been paid for already. */
const retryWaitsMs = [200, 1000];

/**
 * Fetches an image that a provider answered with as a URL: over https, from the public Internet only. At the base URL's own
 * host and at `imageHosts` any address and plain http will do. Redirects are held to the same. No key and no password is
 * sent. What cannot be an image is cut off at its first bytes; a host that is briefly away is tried three times.
 * @throws ProviderError `bad_response` (refused, gone, too large) or `unavailable`
 * @throws ImageCheckError where it begins as no image does
 * @throws the signal's reason
 */
export async function fetchImage(url: string, options: FetchImageOptions): Promise<Buffer> {
  if (url.startsWith("data:")) return decodeDataUrl(url);
  for (let tries = 0; ; tries++) {
    try {
      return await fetchOnce(url, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof ImageCheckError) throw error;
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

async function fetchOnce(url: string, options: FetchImageOptions): Promise<Buffer> {
  const { http, signal, maxBytes, baseUrl, memory } = options;
  let target = resolveUrl(url, baseUrl);
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const publicOnly = !isTrusted(target, options);
    if (publicOnly) refuseForeign(target);
    const answer = await http.send(target.href, {
      signal,
      memory,
      maxBytes,
      publicOnly,
      inspect: checkHead,
    });
    const location = readRedirect(answer);
    if (location === undefined) return takeBytes(answer);
    target = resolveUrl(location, target.href);
  }
  throw new ProviderError("bad_response", `its URL redirects more than ${maxRedirects} times`);
}

function resolveUrl(url: string, base: string): URL {
  if (!URL.canParse(url, base)) throw new ProviderError("bad_response", "its URL is not a URL");
  const target = new URL(url, base);
  const { protocol } = target;
  if (!/^https?:$/.test(protocol))
    throw new ProviderError("bad_response", `its URL has the scheme ${protocol}: expected https`);
  target.username = "";
  target.password = "";
  return target;
}

function isTrusted(
  { hostname, host }: URL,
  { baseUrl, imageHosts = [] }: Pick<FetchImageOptions, "baseUrl" | "imageHosts">,
): boolean {
  if (hostname === new URL(baseUrl).hostname) return true;
  const names = [hostname, host, hostname.replace(/^\[(.*)\]$/, "$1")];
  return imageHosts.some((trusted) => names.includes(trusted.toLowerCase()));
}

/** What can be told of a foreign host before it is asked; the addresses of names are checked as its socket connects. */
function refuseForeign(target: URL): void {
  if (target.protocol !== "https:") {
    const message = "its URL has http on another host than the provider's: expected https";
    throw new ProviderError("bad_response", message);
  }
  refuseNonPublicLiteral(target);
}

function readRedirect({ status, headers }: HttpAnswer): string | undefined {
  return status >= 300 && status < 400 ? (headers.get("location") ?? undefined) : undefined;
}

function takeBytes({ status, body }: HttpAnswer): Buffer {
  if (isSuccess(status)) return body.whole;
  const kind = status >= 500 || status === 429 || status === 408 ? "unavailable" : "bad_response";
  throw new ProviderError(kind, `fetching it from its URL gave HTTP ${status}`, { status });
}

function decodeDataUrl(url: string): Buffer {
  const bytes = decodeBase64(url);
  if (!bytes) throw new ProviderError("bad_response", "its data URL is not base64");
  return bytes;
}
