import { imageTokens, type TokenScheme } from "./image-tokens.ts";

/** A call, as far as its price and its tokens depend on it. */
export interface PlannedCall {
  images: number;
  prompt: string;
  /** The run's parameters, with the row's own on top. */
  parameters: Record<string, unknown>;
}

/** A number of tokens: the likely one, and one that is not passed. */
export interface TokenSpan {
  expected: number;
  atMost: number;
}

/** Tokens that a provider may put around a prompt; nobody publishes how many there are. */
const wrappingTokens = 64;

/** Tokens that a call takes; undefined where they are not known for its size or quality. */
export function tokensOfCall(
  scheme: TokenScheme | undefined,
  { images, prompt, parameters }: PlannedCall,
): { input: TokenSpan; output: TokenSpan } | undefined {
  const each = scheme && imageTokens(scheme, parameters);
  return (
    each && {
      // English has about four characters a token; no text has more tokens than bytes.
      input: {
        expected: prompt.length / 4,
        atMost: Buffer.byteLength(prompt) + wrappingTokens,
      },
      output: { expected: each.expected * images, atMost: each.atMost * images },
    }
  );
}
