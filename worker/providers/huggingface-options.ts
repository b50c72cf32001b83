import { z } from "zod";
import { UsageError } from "../../shared/usage-error.ts";
import { functionOption, HttpUrl, kept, maxTimerMs } from "./model-options.ts";
import { CommonOptions } from "./common-options.ts";
import type { EndpointProgress } from "./wake-endpoint.ts";

/** Options of `InferenceEndpointsImageGeneration`: `modelId`, `endpointName` or `baseUrl` says where images come from. */
export const InferenceEndpointsOptions = z.object({
  modelId: z
    .string()
    .min(1)
    .optional()
    .describe("A model of the Hub; with `baseUrl` it is asked for at `baseUrl/models/modelId`"),
  endpointName: z.string().min(1).optional().describe("A named Inference Endpoint"),
  endpointNamespace: z
    .string()
    .min(1)
    .optional()
    .describe("The user or organization of the endpoint. Default: whose key it is"),
  baseUrl: HttpUrl.optional().describe(
    "A server; it needs no key. Without `modelId` it is the endpoint itself",
  ),
  provider: z
    .string()
    .optional()
    .describe(
      "An inference provider such as fal-ai. Default: the first of your Hub settings that has the model",
    ),
  billTo: z.string().optional().describe("The organization that pays"),
  wakeTimeoutMs: z
    .int()
    .min(0)
    .default(600_000)
    .describe("How long `load` waits for an endpoint that is paused or scaled to zero"),
  wakePollMs: z
    .int()
    .min(1)
    .max(maxTimerMs)
    .default(2_000)
    .describe("Time between two looks at such an endpoint"),
  onProgress: kept(functionOption<(progress: EndpointProgress) => void>().optional()).describe(
    "Is told how far such an endpoint is",
  ),
  endpointsApi: HttpUrl.default("https://api.endpoints.huggingface.cloud").describe(
    "Where named endpoints are looked up",
  ),
  hubUrl: HttpUrl.default("https://huggingface.co").describe("Where the key's owner is looked up"),
  ...CommonOptions,
});
/** What `InferenceEndpointsImageGeneration` is made of. */
export type InferenceEndpointsOptions = z.input<typeof InferenceEndpointsOptions>;

type Option = keyof InferenceEndpointsOptions;

/** Options that name different places, so that only one of each pair can be meant. */
const contradictions: readonly (readonly [Option, Option])[] = [
  ["endpointName", "modelId"],
  ["endpointName", "baseUrl"],
  ["endpointName", "provider"],
  ["baseUrl", "provider"],
];

/** @throws UsageError where options contradict each other or none says where images come from */
export function refuseContradictions(options: InferenceEndpointsOptions): void {
  const has = (name: Option) => options[name] !== undefined;
  const pair = contradictions.find(([a, b]) => has(a) && has(b));
  if (pair) {
    throw new UsageError(
      `\`${pair[0]}\` and \`${pair[1]}\` contradict each other: give one of them`,
    );
  }
  if (has("endpointNamespace") && !has("endpointName")) {
    throw new UsageError("`endpointNamespace` is the owner of an endpoint: give `endpointName`");
  }
  if (!has("modelId") && !has("endpointName") && !has("baseUrl")) {
    throw new UsageError("Expected one of `modelId`, `endpointName` and `baseUrl`, got none");
  }
}
