import type { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { defaultMaxImageBytes } from "../../shared/image-check.ts";
import type { AnswerShare } from "../answer-memory.ts";
import { type AnswerHeaders, type HttpAnswer, isSuccess } from "./answer-reader.ts";
import { classifyTransport } from "./classify-transport.ts";
import { withDeadline } from "./deadline.ts";
import type { Fetch } from "./fetch-adapter.ts";
import type { Progress } from "./http-exchange.ts";
import type { HttpClient, ProxySettings } from "./http.ts";
import type { ImageGeneration } from "./image-generation.ts";
import { lowerCased } from "./lower-cased.ts";
import { modelHttpClient } from "./model-http.ts";
import {
  findRule,
  kindOfStatus,
  readRefusal,
  readRequestId,
  refusalError,
  type RefusalRule,
} from "./refusal.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";
import { splitUrlBelow } from "./split-url.ts";
import { takeImages, type AnsweredImage } from "./take-images.ts";

/** How an API is reached. */
export interface ImagesApiOptions {
  /** Paths are put behind its own, before its query; its user and password are sent as `Authorization`, unless there is a key. */
  baseUrl: string;
  /** Sent as `Authorization: Bearer …`, and masked in messages. */
  apiKey?: string | undefined;
  /** Sent besides. Where one is named after a key, a token or the like, its value is masked in messages. */
  headers?: Record<string, string> | undefined;
  /** Longest call in milliseconds, images at URLs included. Default 120,000. */
  timeoutMs?: number | undefined;
  /** Largest image in bytes. Default 64 MB. */
  maxImageBytes?: number | undefined;
  /** Hosts that images at URLs may come from though they are private or speak plain http, besides the API's own. */
  imageHosts?: readonly string[] | undefined;
  /** What this API's own refusals are, before the usual meaning of their status. */
  refusals?: readonly RefusalRule[] | undefined;
  proxy?: ProxySettings | undefined;
  /** Used instead of the built-in client. */
  fetch?: Fetch | undefined;
}

/** One request for images. */
export interface ImagesRequest<Answer> {
  path: string;
  /** Sent as JSON. */
  body: unknown;
  /** What is used of a good answer. */
  answer: z.ZodType<Answer>;
  /** Where the images are in it: in base64, at URLs, or as bytes. */
  images: (answer: Answer) => AnsweredImage[];
  signal?: AbortSignal | undefined;
  /** Where the answer finds room before it is read: the call's own. */
  memory?: AnswerShare | undefined;
}

/** What a status means where the API says nothing more. */
const usualRefusals: readonly RefusalRule[] = [
  { kind: "auth", statuses: [401, 403] },
  { kind: "quota", statuses: [402] },
  { kind: "model_gone", statuses: [404, 410] },
];

/**
 * An HTTP API that takes JSON and answers with images: what a model of one's own needs so that every failure has its kind,
 * calls end in time and with their signal, answers are checked, and no key shows in a message.
 */
export class ImagesApi {
  readonly #options: ImagesApiOptions;
  readonly #secrets: Secrets;
  readonly #timeoutMs: number;
  readonly #maxImageBytes: number;
  readonly #http: HttpClient;

  constructor(options: ImagesApiOptions) {
    const { baseUrl, apiKey, headers, timeoutMs = 120_000 } = options;
    const { maxImageBytes = defaultMaxImageBytes } = options;
    this.#options = options;
    this.#secrets = { apiKey, baseUrl, headers };
    this.#timeoutMs = timeoutMs;
    this.#maxImageBytes = maxImageBytes;
    this.#http = modelHttpClient({ ...options, timeoutMs });
  }

  /** Closes connections. */
  async close(): Promise<void> {
    await this.#http.close();
  }

  /**
   * Makes one request.
   * @throws ProviderError for anything that goes wrong
   * @throws the signal's reason
   */
  async post<Answer>(request: ImagesRequest<Answer>): Promise<ImageGeneration> {
    const { memory } = request;
    const limits = { timeoutMs: this.#timeoutMs, signal: request.signal, memory };
    return await withDeadline(limits, async (signal, progress) => {
      const answer = await this.#send(request, signal, progress);
      const requestId = readRequestId(answer.headers);
      const answered = request.images(this.#read(answer, request.answer));
      progress.phase = "fetching the images";
      const { images, warnings } = await takeImages(answered, {
        http: this.#http,
        signal,
        memory,
        maxBytes: this.#maxImageBytes,
        baseUrl: this.#options.baseUrl,
        imageHosts: this.#options.imageHosts,
        secrets: this.#secrets,
        requestId,
      });
      return {
        images,
        ...(requestId !== undefined && { requestId }),
        ...(warnings.length > 0 && { warnings }),
      };
    });
  }

  async #send<Answer>(
    { path, body, memory }: ImagesRequest<Answer>,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<HttpAnswer> {
    const request = {
      method: "POST",
      body: JSON.stringify(body),
      signal,
      // Base64 is a third longer than the bytes, and an answer may hold several images.
      maxBytes: this.#maxImageBytes * 4,
      progress,
      memory,
    };
    try {
      const { url, headers } = this.#target(path);
      return await this.#http.send(url, { ...request, headers });
    } catch (error) {
      throw classifyTransport(error, this.#secrets, progress);
    }
  }

  #target(path: string): { url: string; headers: Record<string, string> } {
    const { baseUrl, apiKey, headers } = this.#options;
    const { url, authorization } = splitUrlBelow(baseUrl, path);
    const usual = {
      "content-type": "application/json",
      ...(authorization !== undefined && { authorization }),
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
    };
    return { url, headers: { ...usual, ...lowerCased(headers) } };
  }

  #read<Answer>({ status, headers, body }: HttpAnswer, schema: z.ZodType<Answer>): Answer {
    const text = body.text();
    if (!isSuccess(status)) throw this.#refusal(status, headers, text);
    const parsed = parseAnswer(schema, text);
    if (parsed !== undefined) return parsed;
    const start = text.slice(0, 200);
    const message = `the answer is not what was expected: ${start === "" ? "it is empty" : start}`;
    throw new ProviderError("bad_response", safeMessage(message, this.#secrets), {
      status,
      requestId: readRequestId(headers),
    });
  }

  #refusal(status: number, headers: AnswerHeaders, text: string): ProviderError {
    const refusal = readRefusal(status, headers, text);
    const rules = [...(this.#options.refusals ?? []), ...usualRefusals];
    const kind = findRule(rules, refusal)?.kind ?? kindOfStatus(status, headers);
    return refusalError(kind, refusal, this.#secrets);
  }
}

/** Undefined where the text is not what the schema wants; a transform of the schema may throw over it. */
function parseAnswer<Answer>(schema: z.ZodType<Answer>, text: string): Answer | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
