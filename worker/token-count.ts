import type { Usage } from "../shared/result.ts";
import { toldTokens, type TokenGuess } from "./token-guess.ts";

/** What answers told of the tokens that their calls took. */
export interface TokenSums {
  /** Answers that told any. */
  answers: number;
  told: number;
  /** What was guessed of them before. */
  guessed: number;
  /** How many more than were set aside for them. */
  off: number;
}

/** No answer. */
export const noTokens: TokenSums = { answers: 0, told: 0, guessed: 0, off: 0 };

/** Adds up what answers tell of tokens, until it is told to the lane. */
export class TokenCount {
  #sums = noTokens;

  /** `setAside`: undefined for a call that started while there was no limit. */
  add(
    usage: Usage | undefined,
    { guess, setAside }: { guess: TokenGuess; setAside: number | undefined },
  ): void {
    const tokens = toldTokens(usage);
    if (tokens === undefined) return;
    const { answers, told, guessed, off } = this.#sums;
    this.#sums = {
      answers: answers + 1,
      told: told + tokens,
      guessed: guessed + guess.tokens,
      off: off + (setAside === undefined ? 0 : tokens - setAside),
    };
  }

  /** The sums since it was last asked. */
  take(): TokenSums {
    const sums = this.#sums;
    this.#sums = noTokens;
    return sums;
  }
}
