import type { ModelCard } from "./model-registry.ts";

/**
 * Images that one call of a model may ask for. What is known of a model, or of an API as a whole, is a ceiling; of a model of a
 * server of one's own, whoever asks knows more than we.
 */
export function generationsPerCall(card: ModelCard, asked: number | undefined): number {
  if (asked === undefined) return card.maxGenerationsPerCall;
  return isCeiling(card) ? Math.min(asked, card.maxGenerationsPerCall) : asked;
}

/** Hugging Face's API makes one image a call, whatever the model. */
function isCeiling({ kind, known }: ModelCard): boolean {
  return known || kind === "huggingface";
}
