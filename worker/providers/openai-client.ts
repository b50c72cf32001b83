import OpenAI from "openai";
import type { z } from "zod";
import { version } from "../../shared/version.ts";
import { asFetch, type Fetch, lowerCased } from "./fetch-adapter.ts";
import type { HttpClient } from "./http.ts";
import type { OpenAIOptions } from "./openai-options.ts";

/** The official client, kept from the environment and from retrying. */
export function createOpenaiClient(
  { apiKey, defaultHeaders }: z.output<typeof OpenAIOptions>,
  baseURL: string,
  http: HttpClient,
): OpenAI {
  return new OpenAI({
    apiKey: apiKey || "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL,
    maxRetries: 0,
    // Our own deadline counts: it covers the fetching of images, and leaves out what our own memory holds up.
    timeout: 2 ** 31 - 1,
    fetch: withHeaders(asFetch(http), {
      accept: "application/json",
      "content-type": "application/json",
      "user-agent": `imagemill/${version}`,
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
      ...lowerCased(defaultHeaders),
    }),
    logLevel: "off",
  });
}

/** Sends these headers alone: the client's own hold what it finds in the environment (`OPENAI_CUSTOM_HEADERS`). */
function withHeaders(fetch: Fetch, headers: Record<string, string>): Fetch {
  return (input, init) => fetch(input, { ...init, headers });
}
