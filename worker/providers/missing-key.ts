import { ProviderError } from "../../shared/failure.ts";

/** The public service was asked without a key: says how to give one. Nothing was sent. */
export function missingKey(
  provider: string,
  keyVariable: string,
  urlVariable: string,
): ProviderError {
  const ways = `set ${keyVariable} (or ${keyVariable}_FILE), or pass \`apiKey\``;
  const without = `a server of your own needs none: set ${urlVariable} or pass \`baseUrl\``;
  return new ProviderError("auth", `no API key for ${provider}: ${ways}; ${without}`, {
    sent: false,
  });
}
