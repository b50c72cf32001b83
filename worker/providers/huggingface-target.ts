import { UsageError } from "../../shared/usage-error.ts";
import type { InferenceEndpointsOptions } from "./huggingface.ts";

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
  if (pair)
    throw new UsageError(
      `\`${pair[0]}\` and \`${pair[1]}\` contradict each other: give one of them`,
    );
  if (has("endpointName") !== has("endpointNamespace")) {
    throw new UsageError(
      "`endpointName` and `endpointNamespace` (its user or organization) go together: give both",
    );
  }
  if (!has("modelId") && !has("endpointName") && !has("baseUrl")) {
    throw new UsageError("Expected one of `modelId`, `endpointName` and `baseUrl`, got none");
  }
}
