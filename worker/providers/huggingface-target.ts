import type { InferenceProviderOrPolicy } from "@huggingface/inference";
import type { z } from "zod";
import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";
import type { HttpClient } from "./http.ts";
import { endpointsApi } from "./huggingface-endpoint.ts";
import type { InferenceEndpointsOptions } from "./huggingface-options.ts";
import { missingKey } from "./missing-key.ts";
import type { Secrets } from "./safe-message.ts";
import { wakeEndpoint } from "./wake-endpoint.ts";

/** Where images are asked for: a model of the Hub, or a URL. */
export interface Target {
  model?: string;
  endpointUrl?: string;
  /** Which of the Hub's inference providers. */
  provider?: InferenceProviderOrPolicy;
  headers?: Record<string, string>;
  /** The model that a named endpoint runs. */
  repository?: string | undefined;
}

type Options = z.output<typeof InferenceEndpointsOptions>;

/** What the search for a target is made with. */
export interface TargetParts {
  http: HttpClient;
  secrets: Secrets;
  signal: AbortSignal;
}

/**
 * Finds out where a model's images are asked for; a named endpoint runs when this resolves.
 * @throws UsageError for an unknown provider
 * @throws ProviderError `auth` without a key, and as `wakeEndpoint` does
 */
export async function findTarget(options: Options, parts: TargetParts): Promise<Target> {
  const { modelId, endpointName, baseUrl, apiKey, provider } = options;
  await silenceClient();
  if (baseUrl !== undefined) {
    const url = new URL(baseUrl); // its query stays behind the path
    const root = url.pathname.replace(/\/+$/, "");
    url.pathname = modelId === undefined ? root : `${root}/models/${modelId}`;
    return { endpointUrl: url.href };
  }
  if (!apiKey) throw missingKey("Hugging Face", "HF_TOKEN", "HF_BASE_URL");
  if (endpointName !== undefined) return await findEndpoint(endpointName, apiKey, options, parts);
  return {
    model: modelId!,
    ...(provider !== undefined && { provider: await findProvider(provider) }),
  };
}

async function findEndpoint(
  endpointName: string,
  apiKey: string,
  options: Options,
  parts: TargetParts,
): Promise<Target> {
  const timeoutMs = Math.min(30_000, options.timeoutMs);
  const api = endpointsApi({ ...options, ...parts, apiKey, timeoutMs });
  const namespace = options.endpointNamespace ?? (await api.findOwner(parts.signal));
  const { url, model } = await wakeEndpoint(api, `${namespace}/${endpointName}`, {
    timeoutMs: options.wakeTimeoutMs,
    pollMs: options.wakePollMs,
    onProgress: options.onProgress,
    signal: parts.signal,
  });
  // Should it fall asleep again: its gateway then waits for it instead of answering 503.
  const seconds = Math.max(1, Math.floor(options.timeoutMs / 1000));
  return {
    endpointUrl: url,
    repository: model,
    headers: { "x-scale-up-timeout": String(seconds) },
  };
}

/** The official client tells of every provider that it chooses. */
async function silenceClient(): Promise<void> {
  const { setLogger } = await import("@huggingface/inference");
  setLogger({ ...globalThis.console, log: () => {} });
}

async function findProvider(name: string): Promise<InferenceProviderOrPolicy> {
  const { PROVIDERS_OR_POLICIES } = await import("@huggingface/inference");
  const found = PROVIDERS_OR_POLICIES.find((provider) => provider === name);
  if (found) return found;
  const near =
    didYouMean(name, PROVIDERS_OR_POLICIES) || `; there are ${PROVIDERS_OR_POLICIES.join(", ")}`;
  throw new UsageError(`unknown inference provider \`${name}\`${near}`);
}
