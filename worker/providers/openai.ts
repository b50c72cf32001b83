import OpenAI from "openai";
import type { z } from "zod";
import type { ProviderError } from "../../shared/failure.ts";
import { findKey, type Environment } from "../../shared/find-key.ts";
import { findModel, type ModelCard } from "../../shared/model-registry.ts";
import { modelParameters } from "../../shared/parameter-schemas.ts";
import { version } from "../../shared/version.ts";
import { classifyOpenaiRefusal } from "./classify-openai.ts";
import { classifyTransport } from "./classify-transport.ts";
import { withDeadline } from "./deadline.ts";
import { asFetch, type Exchange, type Fetch } from "./fetch-adapter.ts";
import type { HttpClient, Progress } from "./http.ts";
import type { CallOptions, GenerateOptions, ImageGeneration } from "./image-generation.ts";
import { AsyncImageGenerationModel } from "./image-model.ts";
import { liftBase64 } from "./lift-base64.ts";
import { missingKey } from "./missing-key.ts";
import { modelHttpClient } from "./model-http.ts";
import { dumpOptions, parseOptions } from "./model-options.ts";
import { readOpenaiAnswer } from "./openai-answer.ts";
import { OpenAIOptions } from "./openai-options.ts";
import type { Secrets } from "./safe-message.ts";
import { takeImages } from "./take-images.ts";

interface RequestBody {
  prompt: string;
  [parameter: string]: unknown;
}

/** Ten images of 3840x2160 that cannot be compressed take 350 MB as base64. */
const maxAnswerBytes = 512 * 1024 * 1024;
const publicUrl = "https://api.openai.com/v1";

/** Makes images with OpenAI's API, or with any server that speaks it. */
export class OpenAIImageGeneration extends AsyncImageGenerationModel {
  override readonly modelName: string;
  override readonly maxGenerationsPerCall: number;
  override readonly maxPromptChars: number | null;
  override readonly maxRetries: number;
  override readonly parameters: z.ZodObject;
  readonly #card: ModelCard;
  readonly #options: z.output<typeof OpenAIOptions>;
  readonly #baseUrl: string;
  readonly #secrets: Secrets;
  readonly #http: HttpClient;
  readonly #client: OpenAI;

  /** @throws UsageError for an unknown or a wrong option */
  constructor(options: OpenAIOptions) {
    super();
    this.#options = parseOptions("OpenAIImageGeneration", OpenAIOptions, options);
    const { model, apiKey, baseUrl, maxRetries } = this.#options;
    this.modelName = model;
    this.#card = findModel("openai", model);
    this.maxGenerationsPerCall = this.#card.maxGenerationsPerCall;
    this.maxPromptChars = this.#card.maxPromptChars;
    this.maxRetries = maxRetries;
    this.parameters = modelParameters(this.#card).parameters;
    this.#baseUrl = baseUrl ?? publicUrl;
    this.#secrets = { apiKey, baseUrl };
    this.#http = modelHttpClient(this.#options);
    this.#client = createClient(this.#options, this.#baseUrl, this.#http);
  }

  /**
   * A model with the key of `OPENAI_API_KEY`, or of the file in `OPENAI_API_KEY_FILE`, and the base URL of
   * `OPENAI_BASE_URL`, where the options give none.
   * @throws UsageError as the constructor does, and where a file that was named cannot be read
   */
  static fromEnvironment(env: Environment, options: OpenAIOptions): OpenAIImageGeneration {
    const apiKey = findKey(env, "OPENAI_API_KEY")?.key;
    const baseUrl = env["OPENAI_BASE_URL"] || undefined;
    return new OpenAIImageGeneration({ apiKey, baseUrl, ...options });
  }

  protected override dumpOptions(): Record<string, unknown> {
    return dumpOptions(OpenAIOptions, this.#options);
  }

  /** @throws ProviderError `auth` where the public service has no key */
  override async load(): Promise<void> {
    if (!this.#options.apiKey && this.#options.baseUrl === undefined) {
      throw missingKey("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL");
    }
  }

  override async unload(): Promise<void> {
    await this.#http.close();
  }

  override async agenerate(input: string, options: GenerateOptions = {}): Promise<ImageGeneration> {
    const { call, warnings } = this.checkCall(input, options);
    const asked = call.numGenerations;
    await this.load();
    const limits = { timeoutMs: this.#options.timeoutMs, signal: options.signal };
    return await withDeadline(limits, async (signal, progress) => {
      const { body, lifted, exchange } = await this.#request(
        this.#body(input, call, options.numGenerations !== undefined),
        asked,
        signal,
        progress,
      );
      const answer = readOpenaiAnswer(body, lifted, exchange.answer, this.#secrets);
      progress.phase = "fetching the images";
      const images = answer.images.slice(0, asked);
      const taken = await takeImages(images, {
        http: this.#http,
        signal,
        maxBytes: this.#options.maxImageBytes,
        baseUrl: this.#baseUrl,
        imageHosts: this.#options.imageHosts,
        secrets: this.#secrets,
        requestId: answer.requestId,
      });
      const seed = asked === 1 ? call.seed : undefined;
      warnings.push(...taken.warnings);
      if (answer.images.length > asked) {
        warnings.push(`${answer.images.length} images came, ${asked} were asked for`);
      }
      return {
        images: taken.images.map((image) => ({ ...(seed !== undefined && { seed }), ...image })),
        ...(answer.images.length !== taken.images.length && {
          imagesAnswered: answer.images.length,
        }),
        ...(answer.usage && { usage: answer.usage }),
        ...(answer.requestId !== undefined && { requestId: answer.requestId }),
        ...(warnings.length > 0 && { warnings }),
      };
    });
  }

  /** Only what was given, but for the form of the answer where the model would send URLs by default. */
  #body(prompt: string, call: CallOptions, hasCount: boolean): RequestBody {
    const { numGenerations, seed, parameters } = call;
    const { id, known, answers } = this.#card;
    const body: RequestBody = { model: id, prompt, ...parameters };
    if (hasCount) body["n"] = numGenerations;
    if (known && answers === "either") body["response_format"] ??= "b64_json";
    if (seed !== undefined) body["seed"] = seed;
    return body;
  }

  /** A server of one's own may take what OpenAI's public one would refuse. */
  protected override passesUnknownParameters(): boolean {
    return this.#options.baseUrl !== undefined;
  }

  override takesSeed(): boolean {
    return this.#card.takesSeed;
  }

  async #request(body: RequestBody, asked: number, signal: AbortSignal, progress: Progress) {
    const lifted: Buffer[] = [];
    const readText = (bytes: Buffer) => {
      const { text, images } = liftBase64(bytes);
      lifted.push(...images);
      return text;
    };
    // Base64 is a third longer than the bytes; a megabyte is left for the rest.
    const fitting = asked * Math.ceil(this.#options.maxImageBytes * 1.4) + 1_048_576;
    const exchange: Exchange = {
      progress,
      maxBytes: Math.min(fitting, maxAnswerBytes),
      readText,
    };
    try {
      // `fetchOptions` go to our fetch as they are: this is how it knows which call a request belongs to.
      const own = { signal, fetchOptions: { exchange } as object };
      const answer: unknown = await this.#client.images.generate(body, own);
      return { body: answer, lifted, exchange };
    } catch (error) {
      throw this.#failure(error, exchange);
    }
  }

  #failure(error: unknown, { answer, progress }: Exchange): ProviderError {
    if (answer && (answer.status < 200 || answer.status >= 300)) {
      return classifyOpenaiRefusal(
        answer.status,
        answer.headers,
        answer.bytes.toString("utf8"),
        this.#secrets,
      );
    }
    return classifyTransport(error, this.#secrets, progress);
  }
}

/** The official client, kept from the environment and from retrying. */
function createClient(
  { apiKey, defaultHeaders, timeoutMs }: z.output<typeof OpenAIOptions>,
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
    // Our own deadline comes first: it covers the fetching of images as well.
    timeout: timeoutMs + 5_000,
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

function lowerCased(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
