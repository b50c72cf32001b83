import { ProviderError } from "../../shared/failure.ts";

/** The public service was asked without a key: says how to give one. Nothing was sent. */
export function missingKey(
  provider: string,
  keyVariable: string,
  urlVariable: string,
): ProviderError {
  const ways = `pass \`apiKey\`, or set ${keyVariable} (or ${keyVariable}_FILE) and use \`fromEnvironment(process.env, …)\``;
  const without = `a server of your own needs none: pass \`baseUrl\`, or set ${urlVariable}`;
  return new ProviderError("auth", `no API key for ${provider}: ${ways}; ${without}`, {
    sent: false,
  });
}
