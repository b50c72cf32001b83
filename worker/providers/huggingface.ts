import { randomInt } from "node:crypto";
import type { InferenceProviderOrPolicy } from "@huggingface/inference";
import type { z } from "zod";
import { defaultMaxImageBytes } from "../../shared/image-check.ts";
import { findModel } from "../../shared/model-registry.ts";
import { didYouMean } from "../../shared/near-match.ts";
import { modelParameters } from "../../shared/parameter-schemas.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { classifyHuggingfaceError } from "./classify-huggingface.ts";
import { withDeadline } from "./deadline.ts";
import { asFetch, httpClientFromFetch, type Exchange, type Fetch } from "./fetch-adapter.ts";
import { createHttpClient, type HttpClient, type ProxySettings } from "./http.ts";
import { readHuggingfaceAnswer } from "./huggingface-answer.ts";
import { defaultEndpointsApi, findEndpoint } from "./huggingface-endpoint.ts";
import type { GenerateOptions, ImageGeneration } from "./image-generation.ts";
import { AsyncImageGenerationModel } from "./image-model.ts";
import { refuseUnknownOptions, requireUrl, requireWhole } from "./known-options.ts";
import { missingKey } from "./missing-key.ts";
import { refuseContradictions } from "./huggingface-target.ts";
import { readRequestId } from "./refusal.ts";
import type { Secrets } from "./safe-message.ts";
import { takeImages } from "./take-images.ts";

/** Options of {@link InferenceEndpointsImageGeneration}: `modelId`, `endpointName` or `baseUrl` says where images come from. */
export interface InferenceEndpointsOptions {
  /** A model of the Hub, such as `black-forest-labs/FLUX.1-schnell`. With `baseUrl`: asked for at `baseUrl/models/modelId`. */
  modelId?: string | undefined;
  /** A named Inference Endpoint; its URL is looked up once. */
  endpointName?: string | undefined;
  /** The user or organization that the endpoint belongs to. */
  endpointNamespace?: string | undefined;
  /** A server; it needs no key. Without `modelId` it is the endpoint itself. */
  baseUrl?: string | undefined;
  apiKey?: string | undefined;
  /** An inference provider such as `fal-ai` or `hf-inference`. Default: the first of your Hub settings that has the model. */
  provider?: string | undefined;
  /** The organization that pays. */
  billTo?: string | undefined;
  /** Longest call in milliseconds. Default 120,000. */
  timeoutMs?: number;
  /** Used instead of the built-in client. */
  fetch?: Fetch;
  proxy?: ProxySettings;
  /** Where named endpoints are looked up. Default `https://api.endpoints.huggingface.cloud`. */
  endpointsApi?: string;
  /** Largest image in bytes. Default 64 MB. */
  maxImageBytes?: number;
  /** Hosts that images at URLs may come from though they are private or speak plain http, besides the provider's own. */
  imageHosts?: readonly string[] | undefined;
}

const knownOptions = [
  "modelId",
  "endpointName",
  "endpointNamespace",
  "baseUrl",
  "apiKey",
  "provider",
  "billTo",
  "timeoutMs",
  "fetch",
  "proxy",
  "endpointsApi",
  "maxImageBytes",
  "imageHosts",
];

/** What the official client is told of where to go. */
interface Target {
  model?: string;
  endpointUrl?: string;
}

/** Makes images with Hugging Face: the Hub's inference providers, a named Inference Endpoint, or a server of its kind. */
export class InferenceEndpointsImageGeneration extends AsyncImageGenerationModel {
  /** The model's id; of a named endpoint its name, until `load` has learned its model. */
  override modelName: string;
  override readonly maxGenerationsPerCall = 1;
  override readonly parameters: z.ZodObject;
  readonly #options: InferenceEndpointsOptions;
  readonly #timeoutMs: number;
  readonly #maxImageBytes: number;
  readonly #secrets: Secrets;
  readonly #http: HttpClient;
  #ready: Promise<void> | undefined;
  #target: Target | undefined;
  #provider: InferenceProviderOrPolicy | undefined;

  /** @throws UsageError for an unknown or a wrong option, or for options that contradict each other */
  constructor(options: InferenceEndpointsOptions) {
    super();
    const {
      modelId,
      endpointName,
      baseUrl,
      timeoutMs = 120_000,
      maxImageBytes = defaultMaxImageBytes,
    } = options;
    refuseUnknownOptions("InferenceEndpointsImageGeneration", options, knownOptions);
    refuseContradictions(options);
    requireWhole("timeoutMs", timeoutMs, 1);
    requireWhole("maxImageBytes", maxImageBytes, 1);
    if (baseUrl !== undefined) requireUrl("baseUrl", baseUrl);
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#maxImageBytes = maxImageBytes;
    this.#secrets = { apiKey: options.apiKey, baseUrl };
    this.#http = options.fetch
      ? httpClientFromFetch(options.fetch)
      : createHttpClient({ timeoutMs, proxy: options.proxy });
    this.modelName = modelId ?? endpointName ?? "endpoint";
    this.parameters = modelParameters(findModel("huggingface", this.modelName)).parameters;
  }

  /**
   * Checks the key and the provider's name, and looks up a named endpoint.
   * @throws UsageError for an unknown provider
   * @throws ProviderError `auth` without a key, `unavailable` where the endpoint is not running
   */
  override async load(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined; // so that the next call tries again
      throw error;
    });
    await this.#ready;
  }

  async #prepare(): Promise<void> {
    const { setLogger } = await import("@huggingface/inference");
    setLogger({ ...globalThis.console, log: () => {} }); // it tells of every provider that it chooses
    const { provider } = this.#options;
    if (provider !== undefined) this.#provider = await findProvider(provider);
    this.#target = await this.#findTarget();
  }

  override async unload(): Promise<void> {
    await this.#http.close();
  }

  /** A server of one's own may take what the Hub's providers would refuse. */
  protected override passesUnknownParameters(): boolean {
    return this.#options.baseUrl !== undefined;
  }

  async #findTarget(): Promise<Target> {
    const {
      modelId,
      endpointName,
      endpointNamespace,
      baseUrl,
      apiKey,
      endpointsApi = defaultEndpointsApi,
    } = this.#options;
    if (baseUrl !== undefined) {
      const root = baseUrl.replace(/\/+$/, "");
      return { endpointUrl: modelId === undefined ? root : `${root}/models/${modelId}` };
    }
    if (!apiKey) throw missingKey("Hugging Face", "HF_TOKEN", "HF_BASE_URL");
    if (endpointName === undefined) return { model: modelId! };
    const name = `${endpointNamespace!}/${endpointName}`;
    const endpoint = await findEndpoint(name, {
      http: this.#http,
      api: endpointsApi,
      apiKey,
      timeoutMs: Math.min(30_000, this.#timeoutMs),
      secrets: this.#secrets,
    });
    this.modelName = endpoint.model ?? endpointName;
    return { endpointUrl: endpoint.url };
  }

  /** Without a seed a random one is sent, and told: a provider's cache would answer equal calls all alike. */
  override async agenerate(input: string, options: GenerateOptions = {}): Promise<ImageGeneration> {
    const { call, warnings } = this.checkCall(input, options);
    const { parameters, seed = randomInt(2 ** 31) } = call;
    await this.load();
    const target = this.#target!;
    const exchange: Exchange = {
      progress: { phase: "connecting" },
      maxBytes: this.#maxImageBytes * 1.4 + 1_048_576,
    };
    const limits = { timeoutMs: this.#timeoutMs, signal: options.signal };
    return await withDeadline(limits, async (signal, progress) => {
      exchange.progress = progress;
      const json = await this.#request(input, { ...parameters, seed }, signal, exchange);
      progress.phase = "fetching the images";
      const requestId = exchange.answer && readRequestId(exchange.answer.headers);
      const taken = await takeImages(
        [readHuggingfaceAnswer(json, exchange.answer, this.#secrets)],
        {
          http: this.#http,
          signal,
          maxBytes: this.#maxImageBytes,
          baseUrl: target.endpointUrl ?? "https://router.huggingface.co",
          imageHosts: this.#options.imageHosts,
          secrets: this.#secrets,
          requestId,
        },
      );
      warnings.push(...taken.warnings);
      return {
        images: taken.images.map((image) => ({ seed, ...image })),
        ...(requestId !== undefined && { requestId }),
        ...(warnings.length > 0 && { warnings }),
      };
    });
  }

  async #request(
    inputs: string,
    parameters: Record<string, unknown>,
    signal: AbortSignal,
    exchange: Exchange,
  ) {
    const { apiKey, billTo } = this.#options;
    const { textToImage } = await import("@huggingface/inference");
    try {
      return await textToImage(
        {
          ...this.#target,
          inputs,
          parameters,
          ...(apiKey !== undefined && { accessToken: apiKey }),
          ...(this.#provider && { provider: this.#provider }),
        },
        {
          outputType: "json",
          retry_on_error: false,
          signal,
          fetch: asFetch(this.#http, exchange),
          ...(billTo !== undefined && { billTo }),
        },
      );
    } catch (error) {
      throw classifyHuggingfaceError(error, exchange, this.#secrets);
    }
  }
}

async function findProvider(name: string): Promise<InferenceProviderOrPolicy> {
  const { PROVIDERS_OR_POLICIES } = await import("@huggingface/inference");
  const found = PROVIDERS_OR_POLICIES.find((provider) => provider === name);
  if (found) return found;
  const near =
    didYouMean(name, PROVIDERS_OR_POLICIES) || `; there are ${PROVIDERS_OR_POLICIES.join(", ")}`;
  throw new UsageError(`unknown inference provider \`${name}\`${near}`);
}
