import { type PlannedCall, tokensOfCall } from "../shared/call-tokens.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import type { Usage } from "../shared/result.ts";

/** What a call may take of a limit on tokens, before its answer tells. */
export interface TokenGuess {
  tokens: number;
  /** False where it says only how much more the call takes than another one of its model. */
  isKnown: boolean;
}

/** Of an image of which nothing is known: it stands for as much as the next one. */
const anyImage = 1_000;

/**
 * The guess at a call's tokens. Where size or quality is left to the model, the dearest: what a call does not take is given back
 * when it is answered. Models whose images' tokens nobody published are weighed by size and quality as their relatives are.
 */
export function guessTokens(card: ModelCard, call: PlannedCall): TokenGuess {
  const known = tokensOfCall(card.tokenScheme, call);
  if (known) return { tokens: known.input.expected + known.output.atMost, isKnown: true };
  const likely = tokensOfCall("area", call);
  return { tokens: likely?.output.atMost ?? call.images * anyImage, isKnown: false };
}

/** What a call with this guess has set aside by the lane's script; undefined where the lane has no limit on tokens. */
export function tokensSetAside(
  { tokens, isKnown }: TokenGuess,
  { tokensPerMinute, tokenFactor }: { tokensPerMinute: number; tokenFactor: number },
): number | undefined {
  if (tokensPerMinute === 0) return undefined;
  return tokens * (tokenFactor || (isKnown ? 1 : 0));
}

/** All tokens that an answer tells; undefined where it tells none, or 0: no image is made of no tokens. */
export function toldTokens(usage: Usage | undefined): number | undefined {
  const { totalTokens, inputTokens = 0, outputTokens = 0 } = usage ?? {};
  return totalTokens || inputTokens + outputTokens || undefined;
}
