import { type PlannedCall, tokensOfCall } from "./call-tokens.ts";
import type { ModelCard } from "./model-registry.ts";
import type { Usage } from "./result.ts";

/** What a call costs, as far as it is known before it is made. US dollars. */
export interface CallPrice {
  /** Where size or quality is left to the model: for its likely choice. */
  expectedUsd: number;
  /** Never less than what the provider charges by the prices that are known. */
  atMostUsd: number;
}

/** What a call will cost; undefined where no price is known, or none for its size or quality. */
export function priceOfCall(card: ModelCard, call: PlannedCall): CallPrice | undefined {
  const perImage = pricePerImage(card, call.parameters);
  if (perImage !== undefined) {
    const usd = perImage * call.images;
    return { expectedUsd: usd, atMostUsd: usd };
  }
  const { tokenPrices, tokenScheme } = card;
  const tokens = tokensOfCall(tokenScheme, call);
  if (!tokenPrices || !tokens) return undefined;
  const { input, output } = tokens;
  const usd = (which: "expected" | "atMost") =>
    (input[which] * tokenPrices.textIn + output[which] * tokenPrices.imageOut) / 1_000_000;
  return { expectedUsd: usd("expected"), atMostUsd: usd("atMost") };
}

/**
 * What a call that was made cost: by its token usage where the model's tokens are priced, else what it was expected to.
 * Undefined where no price is known. A server at a custom base URL may ask for less, or nothing.
 */
export function costOfCall(
  card: ModelCard,
  call: PlannedCall,
  usage: Usage | undefined,
): number | undefined {
  const { tokenPrices } = card;
  // Some servers count nothing and say 0: no image is made of no tokens.
  if (tokenPrices && usage?.outputTokens) {
    const { textIn, imageOut } = tokenPrices;
    return ((usage.inputTokens ?? 0) * textIn + usage.outputTokens * imageOut) / 1_000_000;
  }
  return priceOfCall(card, call)?.expectedUsd;
}

function pricePerImage(
  { prices = [], pricePerImageUsd }: ModelCard,
  parameters: Record<string, unknown>,
): number | undefined {
  const special = prices.find(
    ({ size, quality }) =>
      (size === undefined || size === parameters["size"]) &&
      (quality === undefined || quality === parameters["quality"]),
  );
  return special?.usd ?? pricePerImageUsd;
}
