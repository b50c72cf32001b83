import { randomInt } from "node:crypto";
import type { z } from "zod";
import { findKey, type Environment } from "../../shared/find-key.ts";
import { findModel } from "../../shared/model-registry.ts";
import { modelParameters } from "../../shared/parameter-schemas.ts";
import { jsonOf } from "../../shared/parse-json.ts";
import { classifyHuggingfaceError } from "./classify-huggingface.ts";
import { withDeadline } from "./deadline.ts";
import { asFetch, type Exchange } from "./fetch-adapter.ts";
import type { HttpClient } from "./http.ts";
import { readHuggingfaceAnswer } from "./huggingface-answer.ts";
import { InferenceEndpointsOptions, refuseContradictions } from "./huggingface-options.ts";
import { awaitQueued, Queued, untilQueued } from "./huggingface-queue.ts";
import { findTarget, type Target } from "./huggingface-target.ts";
import type { GenerateOptions, ImageGeneration } from "./image-generation.ts";
import { AsyncImageGenerationModel, type LoadOptions } from "./image-model.ts";
import { modelHttpClient } from "./model-http.ts";
import { dumpOptions, findBaseUrl, parseOptions } from "./model-options.ts";
import { orAborted } from "./or-aborted.ts";
import { readRequestId } from "./refusal.ts";
import type { Secrets } from "./safe-message.ts";
import { takeImages } from "./take-images.ts";

/** Where the Hub's inference providers are asked; images at URLs may come from there. */
const routerUrl = "https://router.huggingface.co";

/** Makes images with Hugging Face: the Hub's inference providers, a named Inference Endpoint, or a server of its kind. */
export class InferenceEndpointsImageGeneration extends AsyncImageGenerationModel {
  /** The model's id; of a named endpoint its name, until `load` has learned its model. */
  override modelName: string;
  override readonly maxGenerationsPerCall = 1;
  override readonly maxRetries: number;
  override readonly parameters: z.ZodObject;
  readonly #options: z.output<typeof InferenceEndpointsOptions>;
  readonly #secrets: Secrets;
  readonly #http: HttpClient;
  #closing = new AbortController();
  #target: Promise<Target> | undefined;

  /** @throws UsageError for an unknown or a wrong option, or for options that contradict each other */
  constructor(options: InferenceEndpointsOptions) {
    super();
    this.#options = parseOptions(
      "InferenceEndpointsImageGeneration",
      InferenceEndpointsOptions,
      options,
    );
    refuseContradictions(options);
    const { modelId, endpointName, apiKey, baseUrl, maxRetries } = this.#options;
    const { defaultHeaders: headers } = this.#options;
    this.modelName = modelId ?? endpointName ?? "endpoint";
    this.maxRetries = maxRetries;
    this.parameters = modelParameters(findModel("huggingface", this.modelName)).parameters;
    this.#secrets = { apiKey, baseUrl, headers };
    this.#http = modelHttpClient(this.#options);
  }

  /**
   * A model with the key of `HF_TOKEN`, of the file in `HF_TOKEN_FILE` or of `hf auth login`, and the base URL of
   * `HF_BASE_URL`, where the options give none.
   * @throws UsageError as the constructor does, and where a file that was named cannot be read
   */
  static fromEnvironment(
    env: Environment,
    options: InferenceEndpointsOptions,
  ): InferenceEndpointsImageGeneration {
    const { endpointName, apiKey = findKey(env, "HF_TOKEN")?.key } = options;
    const isNamed = endpointName !== undefined;
    const { baseUrl = isNamed ? undefined : findBaseUrl(env, "HF_BASE_URL") } = options;
    return new InferenceEndpointsImageGeneration({ ...options, apiKey, baseUrl });
  }

  protected override dumpOptions(): Record<string, unknown> {
    return dumpOptions(InferenceEndpointsOptions, this.#options);
  }

  /**
   * Checks the key and the provider's name; looks a named endpoint up, and wakes it where it sleeps.
   * @throws UsageError for an unknown provider
   * @throws ProviderError `auth` without a key, `model_gone` or `unavailable` where the endpoint does not run
   */
  override async load({ signal }: LoadOptions = {}): Promise<void> {
    await this.#findTarget(signal);
  }

  override async unload(): Promise<void> {
    this.#closing.abort(new Error(`${this.modelName} was unloaded`));
    this.#closing = new AbortController();
    this.#target = undefined;
    await this.#http.close();
  }

  /** A server of one's own may take what the Hub's providers would refuse. */
  protected override passesUnknownParameters(): boolean {
    return this.#options.baseUrl !== undefined;
  }

  /** Where to go: found once for all calls, and again where that failed. */
  async #findTarget(signal: AbortSignal | undefined): Promise<Target> {
    this.#target ??= this.#prepare(this.#closing.signal);
    return await orAborted(this.#target, signal);
  }

  async #prepare(signal: AbortSignal): Promise<Target> {
    try {
      const parts = { http: this.#http, secrets: this.#secrets, signal };
      const target = await findTarget(this.#options, parts);
      this.modelName = target.repository ?? this.modelName;
      return target;
    } catch (error) {
      if (!signal.aborted) this.#target = undefined;
      throw error;
    }
  }

  /** Without a seed a random one is sent, and told: a provider's cache would answer equal calls all alike. */
  override async agenerate(input: string, options: GenerateOptions = {}): Promise<ImageGeneration> {
    const { call, warnings } = this.checkCall(input, options);
    const { seed = randomInt(2 ** 31) } = call;
    const target = await this.#findTarget(call.signal);
    const { timeoutMs, maxImageBytes, imageHosts } = this.#options;
    const exchange: Exchange = {
      progress: { phase: "connecting" },
      maxBytes: maxImageBytes * 1.4 + 1_048_576,
      headers: { ...this.#options.defaultHeaders, ...target.headers },
      memory: call.memory,
    };
    const limits = { timeoutMs, signal: call.signal, memory: call.memory };
    return await withDeadline(limits, async (signal, progress) => {
      exchange.progress = progress;
      const parameters = { ...call.parameters, seed };
      const json = await this.#request(target, input, parameters, signal, exchange);
      progress.phase = "fetching the images";
      const requestId = exchange.answer && readRequestId(exchange.answer.headers);
      const image = readHuggingfaceAnswer(json, exchange.answer, this.#secrets);
      const taken = await takeImages([image], {
        http: this.#http,
        signal,
        memory: call.memory,
        maxBytes: maxImageBytes,
        baseUrl: target.endpointUrl ?? routerUrl,
        secrets: this.#secrets,
        requestId,
        imageHosts,
      });
      warnings.push(...taken.warnings);
      return {
        images: taken.images.map((made) => ({ seed, ...made })),
        ...(requestId !== undefined && { requestId }),
        ...(warnings.length > 0 && { warnings }),
      };
    });
  }

  async #request(
    { model, endpointUrl, provider }: Target,
    inputs: string,
    parameters: Record<string, unknown>,
    signal: AbortSignal,
    exchange: Exchange,
  ): Promise<unknown> {
    const { apiKey, billTo } = this.#options;
    const { textToImage } = await import("@huggingface/inference");
    const fetch = asFetch(this.#http, exchange);
    try {
      return await textToImage(
        {
          ...(model !== undefined && { model }),
          ...(endpointUrl !== undefined && { endpointUrl }),
          inputs,
          parameters,
          ...(apiKey !== undefined && { accessToken: apiKey }),
          ...(provider && { provider }),
        },
        {
          outputType: "json",
          retry_on_error: false,
          signal,
          // A server of one's own has no queue of a provider's.
          fetch: endpointUrl === undefined ? untilQueued(fetch) : fetch,
          ...(billTo !== undefined && { billTo }),
        },
      );
    } catch (error) {
      if (error instanceof Queued) return await this.#awaitQueued(error, signal, exchange);
      throw classifyHuggingfaceError(error, exchange, this.#secrets);
    }
  }

  async #awaitQueued(queued: Queued, signal: AbortSignal, exchange: Exchange): Promise<unknown> {
    // Whatever happens from here on, the image was asked for.
    exchange.progress.phase = "fetching the images";
    const parts = { http: this.#http, signal, secrets: this.#secrets };
    exchange.answer = await awaitQueued(queued, parts);
    return jsonOf(exchange.answer.body.text());
  }
}
