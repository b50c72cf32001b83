import type { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { findKey, type Environment } from "../../shared/find-key.ts";
import { generationsPerCall } from "../../shared/generations-per-call.ts";
import { findModel, type ModelCard } from "../../shared/model-registry.ts";
import { modelParameters } from "../../shared/parameter-schemas.ts";
import { isSuccess } from "./answer-reader.ts";
import { classifyOpenaiRefusal } from "./classify-openai.ts";
import { classifyTransport } from "./classify-transport.ts";
import { withDeadline } from "./deadline.ts";
import type { Progress } from "./http-exchange.ts";
import type { HttpClient } from "./http.ts";
import type { CallOptions, GenerateOptions, ImageGeneration } from "./image-generation.ts";
import { AsyncImageGenerationModel } from "./image-model.ts";
import { missingKey } from "./missing-key.ts";
import { modelHttpClient } from "./model-http.ts";
import { dumpOptions, findBaseUrl, parseOptions } from "./model-options.ts";
import { readOpenaiAnswer, type OpenaiAnswer } from "./openai-answer.ts";
import { OpenaiClient } from "./openai-client.ts";
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
  readonly #client: OpenaiClient;

  /** @throws UsageError for an unknown or a wrong option */
  constructor(options: OpenAIOptions) {
    super();
    this.#options = parseOptions("OpenAIImageGeneration", OpenAIOptions, options);
    const { model, apiKey, baseUrl, defaultHeaders: headers, maxRetries } = this.#options;
    this.modelName = model;
    this.#card = findModel("openai", model);
    this.maxGenerationsPerCall = generationsPerCall(
      this.#card,
      this.#options.maxGenerationsPerCall,
    );
    this.maxPromptChars = this.#card.maxPromptChars;
    this.maxRetries = maxRetries;
    this.parameters = modelParameters(this.#card).parameters;
    this.#baseUrl = baseUrl ?? publicUrl;
    this.#secrets = { apiKey, baseUrl, headers };
    this.#http = modelHttpClient(this.#options);
    this.#client = new OpenaiClient(this.#options, this.#baseUrl, this.#http);
  }

  /**
   * A model with the key of `OPENAI_API_KEY`, or of the file in `OPENAI_API_KEY_FILE`, and the base URL of
   * `OPENAI_BASE_URL`, where the options give none.
   * @throws UsageError as the constructor does, and where a file that was named cannot be read
   */
  static fromEnvironment(env: Environment, options: OpenAIOptions): OpenAIImageGeneration {
    const {
      apiKey = findKey(env, "OPENAI_API_KEY")?.key,
      baseUrl = findBaseUrl(env, "OPENAI_BASE_URL"),
    } = options;
    return new OpenAIImageGeneration({ ...options, apiKey, baseUrl });
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
    await this.load();
    const body = this.#body(input, call, options.numGenerations !== undefined);
    const limits = {
      timeoutMs: this.#options.timeoutMs,
      signal: options.signal,
      memory: call.memory,
    };
    return await withDeadline(limits, async (signal, progress) => {
      const answer = await this.#request(body, call, signal, progress);
      progress.phase = "fetching the images";
      const made = await this.#take(answer, call, signal);
      const all = [...warnings, ...(made.warnings ?? [])];
      return { ...made, ...(all.length > 0 && { warnings: all }) };
    });
  }

  /** The images of an answer, decoded or fetched, with what it tells of them. */
  async #take(
    { images, usage, requestId, limits }: OpenaiAnswer,
    { numGenerations, seed: sent, memory }: CallOptions,
    signal: AbortSignal,
  ): Promise<ImageGeneration> {
    const taken = await takeImages(images.slice(0, numGenerations), {
      http: this.#http,
      signal,
      memory,
      maxBytes: this.#options.maxImageBytes,
      baseUrl: this.#baseUrl,
      imageHosts: this.#options.imageHosts,
      secrets: this.#secrets,
      requestId,
    });
    const seed = numGenerations === 1 ? sent : undefined;
    const warnings = [...taken.warnings];
    if (images.length > numGenerations)
      warnings.push(`${images.length} images came, ${numGenerations} were asked for`);
    return {
      images: taken.images.map((image) => ({ ...(seed !== undefined && { seed }), ...image })),
      ...(images.length !== taken.images.length && { imagesAnswered: images.length }),
      ...(usage && { usage }),
      ...(limits && { limits }),
      ...(requestId !== undefined && { requestId }),
      ...(warnings.length > 0 && { warnings }),
    };
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

  async #request(
    body: RequestBody,
    { numGenerations, memory }: CallOptions,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<OpenaiAnswer> {
    // Base64 is a third longer than the bytes; a megabyte is left for the rest.
    const fitting = numGenerations * Math.ceil(this.#options.maxImageBytes * 1.4) + 1_048_576;
    const maxBytes = Math.min(fitting, maxAnswerBytes);
    try {
      const answer = await this.#client.generate(body, { signal, progress, memory, maxBytes });
      if (isSuccess(answer.status)) return readOpenaiAnswer(answer, this.#secrets);
      throw classifyOpenaiRefusal(answer.status, answer.headers, answer.body.text(), this.#secrets);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      throw classifyTransport(error, this.#secrets, progress);
    }
  }
}
