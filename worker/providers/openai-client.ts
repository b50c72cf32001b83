import type OpenAI from "openai";
import { Images, type ImageGenerateParams } from "openai/resources/images";
import type { z } from "zod";
import { version } from "../../shared/version.ts";
import type { HttpAnswer } from "./answer-reader.ts";
import type { HttpRequest } from "./http-exchange.ts";
import type { HttpClient } from "./http.ts";
import { lowerCased } from "./lower-cased.ts";
import type { OpenAIOptions } from "./openai-options.ts";
import { splitUrlBelow } from "./split-url.ts";

/** What the official package would post. */
interface Post {
  path: string;
  body?: unknown;
}

/**
 * The official package's images, which know the path and the form of a request. Its client is left out: our own has other
 * limits, headers and retries, and the client's share of a small call was more than ours.
 */
const images = new Images(
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that `Images` asks of a client
  {
    post: async (path: string, request: Promise<{ body?: unknown }>): Promise<Post> => ({
      path,
      body: (await request).body,
    }),
  } as unknown as OpenAI,
);

/** Asks a server that speaks OpenAI's API. */
export class OpenaiClient {
  readonly #options: z.output<typeof OpenAIOptions>;
  readonly #baseUrl: string;
  readonly #http: HttpClient;
  #target: { url: string; headers: Record<string, string> } | undefined;

  constructor(options: z.output<typeof OpenAIOptions>, baseUrl: string, http: HttpClient) {
    this.#options = options;
    this.#baseUrl = baseUrl;
    this.#http = http;
  }

  /** Asks for images by one request. @throws as `HttpClient` does; a refusal is an answer like others */
  async generate(
    parameters: ImageGenerateParams,
    request: Pick<HttpRequest, "signal" | "progress" | "memory" | "maxBytes">,
  ): Promise<HttpAnswer> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `post` above gives
    const { path, body } = (await images.generate(parameters)) as unknown as Post;
    const { url, headers } = (this.#target ??= this.#find(path));
    const content = JSON.stringify(body);
    return await this.#http.send(url, { ...request, method: "POST", headers, body: content });
  }

  #find(path: string) {
    const { apiKey, defaultHeaders } = this.#options;
    const { url, authorization } = splitUrlBelow(this.#baseUrl, path);
    const headers = {
      ...(authorization !== undefined && { authorization }),
      accept: "application/json",
      "content-type": "application/json",
      "user-agent": `imagemill/${version}`,
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
      ...lowerCased(defaultHeaders),
    };
    return { url, headers };
  }
}
